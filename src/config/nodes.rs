//! The nodes of a pool, and their addresses.

use std::collections::HashSet;
use std::net::IpAddr;
use std::ops::Range;

use evenkeel_core::pool::{Node, Role};
use toml::de::DeValue;

use super::object_name;
use super::section::Section;
use super::value::{Placed, Unaccepted, one_of, parsed};

/// What is accepted as an address, for hints.
const ADDRESS: &str = "the IPv4 or IPv6 address of one machine, without a port";

/// An address that every client can connect to.
pub(super) fn address(value: &DeValue<'_>) -> Result<IpAddr, Unaccepted> {
    let address = parsed::<IpAddr>(ADDRESS)(value)?;
    let unusable = match address {
        IpAddr::V4(v4) if v4.is_broadcast() => Some("the broadcast address"),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some("a link-local address"),
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Some("an IPv4-mapped address"),
        _ if address.is_unspecified() => Some("the unspecified address"),
        _ if address.is_multicast() => Some("a multicast address"),
        _ => None,
    };
    let refuse =
        |why| Unaccepted { message: format!("cannot be {address}, {why}"), hint: format!("accepted: {ADDRESS}") };
    unusable.map_or(Ok(address), |why| Err(refuse(why)))
}

/// Reads the nodes of a pool.
pub(super) fn read(section: &Section<'_>, pool: &str) -> Vec<Node> {
    let accepted = "a list such as [{ name = \"core-1\", address = \"10.0.0.11\" }]";
    let tables = section.section_list("nodes", "a node of [pools.NAME]", accepted);
    let Some(tables) = section.required("nodes", tables, accepted) else { return Vec::new() };
    let mut nodes: Vec<Node> = Vec::new();
    let (mut names, mut addresses) = (HashSet::new(), HashSet::new());
    for node in tables.value {
        let name = node.required("name", node.string("name"), "a name that is unique in its pool");
        if let Some(name) = &name {
            object_name::check(node.report, "node", name);
            if !names.insert(name.value) {
                let message = format!("pool \"{pool}\" has two nodes \"{}\"", name.value);
                node.report.error(name.span.clone(), message, "each name once per pool");
            }
        }
        let own = addresses_of(&node);
        for Placed { value: address, span } in &own {
            if !addresses.insert(*address) {
                let hint = "each address once per pool; other pools can have it, too";
                node.report.error(span.clone(), format!("{address} appears twice in pool \"{pool}\""), hint);
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
        section.report.error(span, format!("pool \"{pool}\" has no active node"), "at least one node must be active");
    }
    nodes
}

/// The addresses of a node: `address`, or `addresses`.
fn addresses_of(node: &Section<'_>) -> Vec<Placed<IpAddr>> {
    let one = node.read("address", address);
    let many = node.list("addresses", "a list of addresses", address);
    match (one, many) {
        (Some(_), Some(many)) => {
            node.report.error(many.span, "`address` and `addresses` are both set", "set one of them");
            Vec::new()
        }
        (Some(one), None) => vec![one],
        (None, Some(many)) => {
            if many.value.is_empty() {
                node.report.error(many.span, "`addresses` is empty", "at least one address");
            }
            many.value
        }
        (None, None) => {
            if node.span_of("addresses").is_none() {
                node.required("address", None::<()>, ADDRESS);
            }
            Vec::new()
        }
    }
}
