//! `[pools.NAME]` and the nodes in them.

use std::collections::HashSet;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use reqwest::Url;
use toml::de::DeValue;

use super::monitors::PlacedMonitor;
use super::names::{self, PlacedName};
use super::section::{Placed, Section, Unaccepted, as_str, check_word, mistyped, one_of, parsed};
use crate::diagnostic::defined;
use crate::health::{Kind, Monitor, Require};
use crate::name::Name;
use crate::pool::{Available, Node, Pool, Role, WhenEmpty};

const ADDRESS: &str = "the IPv4 or IPv6 address of one machine, without a port";

/// An address that every client can connect to.
fn node_address(value: &DeValue<'_>) -> Result<IpAddr, Unaccepted> {
    let address = parsed::<IpAddr>(ADDRESS)(value)?;
    let unusable = match address {
        IpAddr::V4(v4) if v4.is_broadcast() => Some("the broadcast address"),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some("an address that means something on one link only"),
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Some("an IPv4 address in disguise"),
        _ if address.is_unspecified() => Some("no machine's address"),
        _ if address.is_multicast() => Some("a multicast address"),
        _ => None,
    };
    let refuse =
        |why| Unaccepted { message: format!("cannot be {address}, {why}"), hint: format!("accepted: {ADDRESS}") };
    unusable.map_or(Ok(address), |why| Err(refuse(why)))
}

pub(super) fn read(root: &Section<'_>, monitors: &[PlacedMonitor], names: &[PlacedName<'_>]) -> Vec<Pool> {
    let users = names::by_pool(names);
    let mut pools = Vec::new();
    for (name, section) in root.named("pools", "[pools.NAME]") {
        check_word(section.reading, "pool", &name);
        let monitors = used_monitors(&section, name.value, monitors);
        let users = users.get(name.value).map_or(&[][..], Vec::as_slice);
        let pool = Pool {
            name: name.value.into(),
            nodes: nodes(&section, name.value),
            require: require(&section, monitors.len()),
            host: host(&section, name.value, &monitors, users),
            monitors,
            when_empty: when_empty(&section),
            min_available: Available::Count(1),
            longest_ttl: users.iter().map(|name| name.ttl).max().unwrap_or_default(),
        };
        let pool = Pool { min_available: min_available(&section, &pool), ..pool };
        if users.is_empty() {
            let message = format!("pool \"{}\" is used by no name", name.value);
            section.reading.warn(name.span, message, "give a name in [names] this `pool`");
        }
        pools.push(pool);
        section.finish();
    }
    pools
}

fn used_monitors(section: &Section<'_>, pool: &str, monitors: &[PlacedMonitor]) -> Vec<Arc<Monitor>> {
    let Some(list) = section.list("monitors", "a list of monitors' names", as_str) else {
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

/// How many active nodes should be up.
fn min_available(section: &Section<'_>, pool: &Pool) -> Available {
    let active = pool.nodes.iter().filter(|node| node.role == Role::Active).count();
    let accepted = "a number of active nodes, or a part of them as \"50%\"";
    let available = section.read("min_available", |value| {
        let refused = |why: String| Unaccepted { message: why, hint: format!("accepted: {accepted}") };
        match value {
            DeValue::Integer(digits) => match digits.as_str().parse::<usize>() {
                Ok(count) if count >= 1 && (count <= active || active == 0) => Ok(Available::Count(count)),
                _ => Err(refused(format!("cannot be {digits}: the pool has {active} active nodes"))),
            },
            DeValue::String(text) => match text.strip_suffix('%').and_then(|number| number.parse::<u8>().ok()) {
                Some(percent @ 1..=100) => Ok(Available::Percent(percent)),
                _ => Err(refused(format!("cannot be \"{text}\""))),
            },
            _ => Err(mistyped(value, accepted)),
        }
    });
    available.map_or(Available::Count(1), |available| available.value)
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
fn host(section: &Section<'_>, pool: &str, monitors: &[Arc<Monitor>], users: &[&PlacedName<'_>]) -> Option<Arc<str>> {
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
    if let Some(given) = given {
        let over_https = monitors.iter().any(|monitor| matches!(&monitor.kind, Kind::Http(http) if http.tls.is_some()));
        let is_name = Url::parse(&format!("https://{}/", given.value)).is_ok_and(|url| url.domain().is_some());
        if over_https && !is_name {
            // It would be the address that is probed, whichever node was meant.
            let message = format!("`host` cannot be \"{}\" with a monitor over https", given.value);
            section.reading.error(given.span, message, "the name that the certificates of the nodes hold");
        }
        return Some(given.value.trim_end_matches('.').into());
    }
    let ambiguous = match users {
        [only] if only.owner.is_wildcard() => Some("a wildcard uses it"),
        [] | [_] => None,
        _ => Some("several names use it"),
    };
    if let Some(why) = ambiguous.filter(|_| !monitors.is_empty() && section.place_of("host").is_none()) {
        let message = format!("pool \"{pool}\" needs a `host` for its probes: {why}");
        section.reading.error(section.span.clone(), message, "the name that the nodes expect in the Host header");
    }
    users.first().filter(|_| ambiguous.is_none()).map(|only| only.owner.to_string().into())
}

fn when_empty(section: &Section<'_>) -> WhenEmpty {
    const FALLBACK: &str = "fallback";
    let words = [
        ("all", WhenEmpty::All),
        ("servfail", WhenEmpty::ServFail),
        ("nodata", WhenEmpty::NoData),
        (FALLBACK, WhenEmpty::Fallback(Vec::new())),
    ];
    let policy = section.read("when_empty", one_of(&words));
    let addresses = section.list("fallback", "a list of addresses", node_address);
    // Addresses that could not be read have been reported, and are not missing.
    let is_wrong = addresses.is_none() && section.place_of("fallback").is_some();
    match (policy, addresses) {
        (Some(Placed { value: WhenEmpty::Fallback(_), span }), addresses) => {
            let mut given: Vec<IpAddr> = Vec::new();
            for Placed { value: address, span } in addresses.map_or_else(Vec::new, |list| list.value) {
                if given.contains(&address) {
                    section.reading.error(span, format!("{address} stands twice in `fallback`"), "each address once");
                }
                given.push(address);
            }
            let addresses = given;
            if addresses.is_empty() && !is_wrong {
                section.reading.error(
                    span,
                    "`when_empty` is \"fallback\", but there are no addresses",
                    "give them in `fallback`",
                );
            }
            WhenEmpty::Fallback(addresses)
        }
        (policy, addresses) => {
            if let Some(addresses) = addresses {
                let message = "`fallback` is given, but `when_empty` does not use it";
                section.reading.error(addresses.span, message, "set when_empty = \"fallback\"");
            }
            policy.map_or(WhenEmpty::All, |policy| policy.value)
        }
    }
}

fn nodes(section: &Section<'_>, pool: &str) -> Vec<Node> {
    let accepted = "a list such as [{ name = \"core-1\", address = \"10.0.0.11\" }]";
    let tables = section.tables("nodes", "a node of [pools.NAME]", accepted);
    let Some(tables) = section.required("nodes", tables, accepted) else { return Vec::new() };
    let mut nodes: Vec<Node> = Vec::new();
    let (mut names, mut addresses) = (HashSet::new(), HashSet::new());
    for node in tables.value {
        let name = node.required("name", node.string("name"), "a word that is this node's in its pool");
        if let Some(name) = &name {
            check_word(node.reading, "node", name);
            if !names.insert(name.value) {
                let message = format!("pool \"{pool}\" has two nodes \"{}\"", name.value);
                node.reading.error(name.span.clone(), message, "each name once in a pool");
            }
        }
        let own = node_addresses(&node);
        for Placed { value: address, span } in &own {
            if !addresses.insert(*address) {
                let hint = "a node in two pools is fine, twice in one is not";
                node.reading.error(span.clone(), format!("{address} stands twice in pool \"{pool}\""), hint);
            }
        }
        let role = node.read("role", one_of(&[("active", Role::Active), ("backup", Role::Backup)]));
        nodes.push(Node {
            name: name.map_or("", |name| name.value).into(),
            addresses: own.into_iter().map(|address| address.value).collect(),
            weight: node.integer("weight", 1..=10_000).map_or(1, |weight| weight.value),
            role: role.map_or(Role::Active, |role| role.value),
        });
        node.finish();
    }
    if !nodes.iter().any(|node| node.role == Role::Active) {
        let span: Range<usize> = tables.span.start..tables.span.start + 1;
        section.reading.error(span, format!("pool \"{pool}\" has no active node"), "backups stand in for active nodes");
    }
    nodes
}

/// `address`, or `addresses`.
fn node_addresses(node: &Section<'_>) -> Vec<Placed<IpAddr>> {
    let one = node.read("address", node_address);
    let many = node.list("addresses", "a list of addresses", node_address);
    match (one, many) {
        (Some(_), Some(many)) => {
            node.reading.error(many.span, "`address` and `addresses` stand together", "one of them");
            Vec::new()
        }
        (Some(one), None) => vec![one],
        (None, Some(many)) => {
            if many.value.is_empty() {
                node.reading.error(many.span, "`addresses` is empty", "at least one address");
            }
            many.value
        }
        (None, None) => {
            if node.place_of("addresses").is_none() {
                node.required("address", None::<()>, ADDRESS);
            }
            Vec::new()
        }
    }
}
