//! `[pools.NAME]`; the nodes in them are read by `nodes`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use toml::de::DeValue;

use super::actions::{self, PlacedAction};
use super::monitors::PlacedMonitor;
use super::names::{self, PlacedName};
use super::nodes;
use super::section::{Placed, Section, Unaccepted, as_str, check_word, mistyped, one_of};
use evenkeel_core::diagnostic::defined;
use evenkeel_core::health::Require;
use evenkeel_core::name::Name;
use evenkeel_core::pool::{AutoNominate, Node, NodeCount, Pool, Role, WhenEmpty};

use crate::monitor::{Monitor, MonitorKind};
use crate::pool_config::PoolConfig;
use crate::role_action::{RoleAction, RoleActions};

pub(super) fn read(
    root: &Section<'_>,
    monitors: &[PlacedMonitor],
    actions: &[PlacedAction],
    names: &[PlacedName],
) -> Vec<PoolConfig> {
    let users = names::by_pool(names);
    let mut pools = Vec::new();
    for (name, section) in root.named("pools", "[pools.NAME]") {
        check_word(section.reading, "pool", &name);
        let users = users.get(name.value).map_or(&[][..], Vec::as_slice);
        let nodes = nodes::read(&section, name.value);
        let (when_empty, fallback) = when_empty(&section);
        let monitors_of = |key| used_monitors(&section, key, name.value, monitors);
        let (serving, standby) = (monitors_of("monitors"), monitors_of("standby_monitors"));
        let actions = RoleActions {
            nominate: actions::used(&section, "nominate_action", actions),
            unregister: actions::used(&section, "unregister_action", actions),
        };
        let pool = Pool {
            name: name.value.into(),
            require: require(&section, serving.len()),
            has_standby_monitors: !standby.is_empty(),
            role_settle_time: role_settle_time(serving.iter().chain(&standby)),
            auto_nominate: auto_nominate(&section, &serving),
            when_empty,
            fallback,
            min_available: node_count(&section, "min_available", &nodes, 1).unwrap_or(NodeCount::Count(1)),
            max_ejected: node_count(&section, "max_ejected", &nodes, 0).unwrap_or(NodeCount::Percent(50)),
            longest_ttl: users.iter().map(|name| name.ttl).max().unwrap_or_default(),
            nodes,
        };
        let mut config =
            PoolConfig { pool: Arc::new(pool), monitors: serving, standby_monitors: standby, host: None, actions };
        config.host = host(&section, &config, users);
        report_unused_backup_keys(&section, &config);
        if users.is_empty() {
            let message = format!("pool \"{}\" is used by no name", name.value);
            section.reading.warn(name.span, message, "give a name in [names] this `pool`");
        }
        pools.push(config);
        section.finish();
    }
    pools
}

/// How long the monitors of a pool need to see that a node has changed its role.
fn role_settle_time<'m>(monitors: impl Iterator<Item = &'m Arc<Monitor>>) -> Duration {
    monitors.map(|monitor| monitor.interval * (monitor.rise + monitor.fall)).max().unwrap_or_default()
}

/// How often a backup may be nominated without an operator, if it may.
fn auto_nominate(section: &Section<'_>, monitors: &[Arc<Monitor>]) -> Option<AutoNominate> {
    let second = Duration::from_secs(1);
    let is_wanted = section.boolean("auto_nominate").unwrap_or(false);
    let every = section.duration("nominate_every", second..=86_400 * second);
    if let Some(every) = every.as_ref().filter(|_| !is_wanted) {
        section.reading.error(every.span.clone(), "`nominate_every` needs `auto_nominate`", "set auto_nominate = true");
    }
    let observe_for = monitors.iter().map(|monitor| monitor.interval * monitor.fall).max().unwrap_or_default();
    is_wanted.then(|| AutoNominate { every: every.map_or(600 * second, |every| every.value), observe_for })
}

/// Reports keys about backups in a pool that has none, or that cannot tell when a backup serves.
fn report_unused_backup_keys(section: &Section<'_>, config: &PoolConfig) {
    let PoolConfig { pool, monitors, standby_monitors, .. } = config;
    if pool.nodes.iter().all(|node| node.role == Role::Active) {
        for key in ["standby_monitors", "nominate_action", "unregister_action", "auto_nominate"] {
            if let Some(span) = section.place_of(key) {
                let message = format!("`{key}` is for backups, and pool \"{}\" has none", pool.name);
                section.reading.error(span, message, "give a node role = \"backup\"");
            }
        }
    }
    let Some(span) = section.place_of("standby_monitors") else { return };
    if monitors.is_empty() {
        let message = "`standby_monitors` needs `monitors`, which tell when a backup serves";
        section.reading.error(span, message, "name at least one in `monitors`");
    } else if standby_monitors.iter().any(|monitor| monitors.contains(monitor)) {
        let message = "a monitor of `standby_monitors` is in `monitors`, too: it cannot tell a backup that waits from \
                       one that serves";
        let hint = "one that fails for a serving node, and one in `monitors` that fails for a waiting backup";
        section.reading.warn(span, message, hint);
    }
}

fn used_monitors(
    section: &Section<'_>,
    key: &'static str,
    pool: &str,
    monitors: &[PlacedMonitor],
) -> Vec<Arc<Monitor>> {
    let Some(list) = section.list(key, "a list of monitors' names", as_str) else {
        return Vec::new();
    };
    let mut used: Vec<Arc<Monitor>> = Vec::new();
    for Placed { value: name, span } in list.value {
        match monitors.iter().find(|placed| &*placed.monitor.name == name) {
            Some(placed) if used.contains(&placed.monitor) => {
                section.reading.error(
                    span,
                    format!("pool \"{pool}\" names monitor \"{name}\" twice"),
                    "each monitor once",
                );
            }
            Some(placed) => used.push(Arc::clone(&placed.monitor)),
            None => {
                let hint = defined("monitor", name, monitors.iter().map(|placed| &*placed.monitor.name));
                section.reading.error(
                    span,
                    format!("pool \"{pool}\" uses monitor \"{name}\", which is not defined"),
                    hint,
                );
            }
        }
    }
    used
}

/// A number of active nodes, at least `least`, or a part of them.
fn node_count(section: &Section<'_>, key: &'static str, nodes: &[Node], least: usize) -> Option<NodeCount> {
    let active = nodes.iter().filter(|node| node.role == Role::Active).count();
    let accepted = "a number of active nodes, or a part of them as \"50%\"";
    let count = section.read(key, |value| {
        let refused = |why: String| Unaccepted { message: why, hint: format!("accepted: {accepted}") };
        match value {
            DeValue::Integer(digits) => match digits.as_str().parse::<usize>() {
                Ok(count) if count >= least && (count <= active || active == 0) => Ok(NodeCount::Count(count)),
                _ => Err(refused(format!("cannot be {digits}: the pool has {active} active nodes"))),
            },
            DeValue::String(text) => match text.strip_suffix('%').and_then(|number| number.parse::<u8>().ok()) {
                Some(percent @ 0..=100) if usize::from(percent) >= least => Ok(NodeCount::Percent(percent)),
                _ => Err(refused(format!("cannot be \"{text}\""))),
            },
            _ => Err(mistyped(value, accepted)),
        }
    });
    count.map(|count| count.value)
}

/// How many of the pool's monitors must find an address up.
fn require(section: &Section<'_>, monitors: usize) -> Require {
    let accepted = "\"all\", \"any\", or a number of monitors";
    let require = section.read("require", |value| match value {
        DeValue::Integer(digits) => match digits.as_str().parse() {
            Ok(count) if (1..=monitors).contains(&count) => Ok(Require::AtLeast(count)),
            _ => Err(Unaccepted {
                message: format!("cannot be {digits}: the pool has {monitors} monitors"),
                hint: format!("accepted: {accepted}"),
            }),
        },
        DeValue::String(_) => one_of(&[("all", Require::All), ("any", Require::AtLeast(1))])(value),
        _ => Err(mistyped(value, accepted)),
    });
    require.map_or(Require::All, |require| require.value)
}

/// The `host` of the pool, or the one name that uses it.
fn host(section: &Section<'_>, config: &PoolConfig, users: &[&PlacedName]) -> Option<Arc<str>> {
    let pool = &config.pool;
    let monitors = || config.all_monitors();
    let actions = || config.actions.nominate.iter().chain(&config.actions.unregister);
    let given = section.read("host", |value| {
        let host = as_str(value)?;
        // Letters, digits and hyphens (RFC 1123 §2.1), and underscores, which occur.
        let is_letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let sound = host != "." && host.bytes().all(is_letter) && Name::parse(host).is_ok();
        if sound {
            Ok(host)
        } else {
            Err(Unaccepted {
                message: format!("cannot be \"{host}\""),
                hint: "accepted: a host name without a port".to_owned(),
            })
        }
    });
    let over_https = monitors().any(|monitor| matches!(&monitor.kind, MonitorKind::Http(http) if http.tls.is_some()))
        || actions().any(RoleAction::is_over_tls);
    if let Some(given) = given {
        if over_https && !can_be_certified(given.value) {
            let message = format!("`host` cannot be \"{}\" with a request over https", given.value);
            section.reading.error(given.span, message, "the name that the certificates of the nodes hold");
        }
        return Some(given.value.trim_end_matches('.').into());
    }
    let ambiguous = match users {
        [only] if only.owner.is_wildcard() => Some("a wildcard uses it"),
        [] | [_] => None,
        _ => Some("several names use it"),
    };
    if let Some(why) = ambiguous
        .filter(|_| (monitors().next().is_some() || actions().next().is_some()) && section.place_of("host").is_none())
    {
        let message = format!("pool \"{}\" needs a `host` for its probes: {why}", pool.name);
        section.reading.error(section.span.clone(), message, "the name that the nodes expect in the Host header");
    }
    let only = users.first().filter(|_| ambiguous.is_none()).map(|only| only.owner.to_string());
    if let Some(only) = only.as_ref().filter(|only| over_https && !can_be_certified(only)) {
        let message =
            format!("pool \"{}\" needs a `host` for its requests over https: no certificate is for {only}", pool.name);
        section.reading.error(section.span.clone(), message, "the name that the certificates of the nodes hold");
    }
    only.map(Into::into)
}

/// Whether a certificate can be for this name.
fn can_be_certified(host: &str) -> bool {
    matches!(ServerName::try_from(host.trim_end_matches('.')), Ok(ServerName::DnsName(_)))
}

fn when_empty(section: &Section<'_>) -> (WhenEmpty, Vec<IpAddr>) {
    let words = [
        ("all", WhenEmpty::All),
        ("servfail", WhenEmpty::ServFail),
        ("nodata", WhenEmpty::NoData),
        ("fallback", WhenEmpty::Fallback),
    ];
    let policy = section.read("when_empty", one_of(&words));
    let when_empty = policy.as_ref().map_or(WhenEmpty::All, |policy| policy.value);
    let list = section.list("fallback", "a list of addresses", nodes::address);
    // Addresses that could not be read have been reported, and are not missing.
    let is_wrong = list.is_none() && section.place_of("fallback").is_some();
    let place = list.as_ref().map(|list| list.span.clone());
    let mut fallback: Vec<IpAddr> = Vec::new();
    for Placed { value: address, span } in list.map_or_else(Vec::new, |list| list.value) {
        if fallback.contains(&address) {
            section.reading.error(span, format!("{address} stands twice in `fallback`"), "each address once");
        }
        fallback.push(address);
    }
    match (when_empty, policy, place) {
        (WhenEmpty::Fallback, Some(Placed { span, .. }), _) if fallback.is_empty() && !is_wrong => {
            let message = "`when_empty` is \"fallback\", but there are no addresses";
            section.reading.error(span, message, "give them in `fallback`");
        }
        (WhenEmpty::ServFail | WhenEmpty::NoData, _, Some(span)) => {
            let message = "`fallback` is given, but `when_empty` does not use it";
            section.reading.error(span, message, "set when_empty = \"fallback\"");
        }
        _ => {}
    }
    (when_empty, fallback)
}
