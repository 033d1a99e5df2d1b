//! Reads `[pools.NAME]`. `nodes` reads its nodes, and `pool_host` reads its `host`.
//!
//! `load` calls [`read`]. Wrong keys are reported and get a default, so that one run reports all of
//! them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_core::diagnostic::defined;
use evenkeel_core::health::Require;
use evenkeel_core::plural::counted;
use evenkeel_core::pool::{AutoNominate, Node, NodeCount, Pool, Role, WhenEmpty};
use toml::de::DeValue;

use super::actions::{self, DefinedAction};
use super::monitors::DefinedMonitor;
use super::names::{self, DefinedName};
use super::section::Section;
use super::value::{Placed, Unaccepted, as_str, integer, mistyped, one_of};
use super::{nodes, object_name, pool_host};
use crate::monitor::Monitor;
use crate::pool_config::PoolConfig;
use crate::role_action::RoleActions;

/// Reads all pools, with the monitors and actions that they name.
pub(super) fn read(
    root: &Section<'_>,
    monitors: &[DefinedMonitor],
    actions: &[DefinedAction],
    names: &[DefinedName],
) -> Vec<PoolConfig> {
    let users = names::by_pool(names);
    let mut pools = Vec::new();
    for (name, section) in root.named_sections("pools", "[pools.NAME]") {
        object_name::check(section.report, "pool", &name);
        let users = users.get(name.value).map_or(&[][..], Vec::as_slice);
        let nodes = nodes::read(&section, name.value);
        let (when_empty, fallback) = when_empty(&section);
        let monitors_of = |key| used_monitors(&section, key, name.value, monitors);
        let (serving, standby) = (monitors_of("monitors"), monitors_of("standby_monitors"));
        let actions = RoleActions {
            nominate: actions::named_by(&section, "nominate_action", actions),
            demote: actions::named_by(&section, "demote_action", actions),
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
        config.host = pool_host::read(&section, &config, users);
        report_unused_backup_keys(&section, &config);
        if users.is_empty() {
            let message = format!("pool \"{}\" is used by no name", name.value);
            section.report.warn(name.span, message, "set it as the `pool` of a name in [names]");
        }
        pools.push(config);
        section.finish();
    }
    pools
}

/// How long the monitors of a pool take to see that a node has changed its role.
fn role_settle_time<'m>(monitors: impl Iterator<Item = &'m Arc<Monitor>>) -> Duration {
    monitors.map(|monitor| monitor.interval * (monitor.rise + monitor.fall)).max().unwrap_or_default()
}

/// The rule of auto-nomination, if the pool wants it.
fn auto_nominate(section: &Section<'_>, monitors: &[Arc<Monitor>]) -> Option<AutoNominate> {
    let second = Duration::from_secs(1);
    let is_wanted = section.boolean("auto_nominate").unwrap_or(false);
    let every = section.duration("nominate_every", second..=86_400 * second);
    if let Some(every) = every.as_ref().filter(|_| !is_wanted) {
        section.report.error(every.span.clone(), "`nominate_every` needs `auto_nominate`", "set auto_nominate = true");
    }
    let observe_for = monitors.iter().map(|monitor| monitor.interval * monitor.fall).max().unwrap_or_default();
    is_wanted.then(|| AutoNominate { every: every.map_or(600 * second, |every| every.value), observe_for })
}

/// Reports keys about backups in a pool without backups, or without a way to see that one serves.
fn report_unused_backup_keys(section: &Section<'_>, config: &PoolConfig) {
    let PoolConfig { pool, monitors, standby_monitors, .. } = config;
    if pool.nodes.iter().all(|node| node.role == Role::Active) {
        for key in ["standby_monitors", "nominate_action", "demote_action", "auto_nominate"] {
            if let Some(span) = section.span_of(key) {
                let message = format!("`{key}` is for backups, and pool \"{}\" has none", pool.name);
                section.report.error(span, message, "set role = \"backup\" for a node");
            }
        }
    }
    let Some(span) = section.span_of("standby_monitors") else { return };
    if monitors.is_empty() {
        let message = "`standby_monitors` needs `monitors`, which show when a backup serves";
        section.report.error(span, message, "name at least one in `monitors`");
    } else if standby_monitors.iter().any(|monitor| monitors.contains(monitor)) {
        let message = "a monitor of `standby_monitors` is in `monitors`, too: it cannot show whether a backup waits or \
                       serves";
        let hint = "use one that fails for a serving node, and one in `monitors` that fails for a waiting backup";
        section.report.warn(span, message, hint);
    }
}

/// The monitors that a key of a pool names.
fn used_monitors(
    section: &Section<'_>,
    key: &'static str,
    pool: &str,
    monitors: &[DefinedMonitor],
) -> Vec<Arc<Monitor>> {
    let Some(list) = section.list(key, "a list of names of monitors", as_str) else {
        return Vec::new();
    };
    let mut used: Vec<Arc<Monitor>> = Vec::new();
    for Placed { value: name, span } in list.value {
        match monitors.iter().find(|found| &*found.monitor.name == name) {
            Some(found) if used.contains(&found.monitor) => {
                section.report.error(
                    span,
                    format!("pool \"{pool}\" names monitor \"{name}\" twice"),
                    "each monitor once",
                );
            }
            Some(found) => used.push(Arc::clone(&found.monitor)),
            None => {
                let hint = defined("monitor", name, monitors.iter().map(|found| &*found.monitor.name));
                section.report.error(
                    span,
                    format!("pool \"{pool}\" uses monitor \"{name}\", which is not defined"),
                    hint,
                );
            }
        }
    }
    used
}

/// A number of active nodes, or a part of them in percent; at least `least`.
fn node_count(section: &Section<'_>, key: &'static str, nodes: &[Node], least: usize) -> Option<NodeCount> {
    let active = nodes.iter().filter(|node| node.role == Role::Active).count();
    let accepted = "a number of active nodes, or a part of them such as \"50%\"";
    let count = section.read(key, |value| {
        let refused = |why: String| Unaccepted { message: why, hint: format!("accepted: {accepted}") };
        match value {
            DeValue::Integer(digits) => match integer(digits).and_then(|count| usize::try_from(count).ok()) {
                Some(count) if count >= least && (count <= active || active == 0) => Ok(NodeCount::Count(count)),
                _ => {
                    let active = counted(active, "active node", "active nodes");
                    Err(refused(format!("cannot be {digits}: the pool has {active}")))
                }
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

/// `require`: how many of the pool's monitors must find an address up.
fn require(section: &Section<'_>, monitors: usize) -> Require {
    let accepted = "\"all\", \"any\", or a number of monitors";
    let require = section.read("require", |value| match value {
        DeValue::Integer(digits) => match integer(digits).and_then(|count| usize::try_from(count).ok()) {
            Some(count) if (1..=monitors).contains(&count) => Ok(Require::AtLeast(count)),
            _ => Err(Unaccepted {
                message: format!("cannot be {digits}: the pool has {}", counted(monitors, "monitor", "monitors")),
                hint: format!("accepted: {accepted}"),
            }),
        },
        DeValue::String(_) => one_of(&[("all", Require::All), ("any", Require::AtLeast(1))])(value),
        _ => Err(mistyped(value, accepted)),
    });
    require.map_or(Require::All, |require| require.value)
}

/// `when_empty` and `fallback`: what is returned if no node is eligible.
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
    // Wrong addresses have been reported; they are not missing.
    let is_wrong = list.is_none() && section.span_of("fallback").is_some();
    let place = list.as_ref().map(|list| list.span.clone());
    let mut fallback: Vec<IpAddr> = Vec::new();
    for Placed { value: address, span } in list.map_or_else(Vec::new, |list| list.value) {
        if fallback.contains(&address) {
            section.report.error(span, format!("{address} appears twice in `fallback`"), "each address once");
        }
        fallback.push(address);
    }
    match (when_empty, policy, place) {
        (WhenEmpty::Fallback, Some(Placed { span, .. }), _) if fallback.is_empty() && !is_wrong => {
            let message = "`when_empty` is \"fallback\", but there are no addresses";
            section.report.error(span, message, "set them in `fallback`");
        }
        (WhenEmpty::ServFail | WhenEmpty::NoData, _, Some(span)) => {
            let message = "`fallback` is given, but `when_empty` does not use it";
            section.report.error(span, message, "set when_empty = \"fallback\"");
        }
        _ => {}
    }
    (when_empty, fallback)
}
