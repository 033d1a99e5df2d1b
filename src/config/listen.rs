//! Lists of addresses to listen on, and conflicts between them.

use std::net::SocketAddr;

use evenkeel_core::diagnostic::Diagnostic;

use super::section::Section;
use super::value::{Placed, parsed};

/// An address to listen on.
#[derive(Clone, Debug)]
pub struct Listen {
    /// With port 0, the system chooses a port.
    pub address: SocketAddr,
    /// An empty diagnostic at the place of the address, for errors at the start.
    place: Diagnostic,
}

impl Listen {
    /// An address without a place in the file: a default of the section.
    pub(super) fn by_default(section: &Section<'_>, address: SocketAddr) -> Self {
        Self { address, place: section.report.source.error(section.span.clone(), "") }
    }

    /// An error about this address, at its place in the file.
    pub fn problem(&self, message: impl Into<String>) -> Diagnostic {
        self.place.clone().with_message(message)
    }
}

/// Reads a list of addresses. Reports addresses that appear twice or cannot be bound.
pub(super) fn read(section: &Section<'_>, key: &'static str) -> Option<Vec<Listen>> {
    let accepted = "an address and a port: \"127.0.0.1:53\", \"[::]:53\"";
    let all_accepted = "a list of addresses and ports: [\"127.0.0.1:53\", \"[::]:53\"]";
    let list = section.list(key, all_accepted, parsed::<SocketAddr>(accepted))?;
    if list.value.is_empty() {
        section.report.error(list.span, format!("`{key}` names no address"), accepted);
    }
    let mut listen: Vec<Listen> = Vec::new();
    for Placed { value: address, span } in list.value {
        if listen.iter().any(|other| other.address == address) {
            section.report.error(span, format!("{address} appears twice in `{key}`"), "each address once");
        } else if let Some(why) = unusable(address) {
            section.report.error(span, format!("{address} cannot be listened on: {why}"), accepted);
        } else {
            listen.push(Listen { address, place: section.report.source.error(span, "") });
        }
    }
    Some(listen)
}

/// Why an address cannot be bound, if so.
fn unusable(address: SocketAddr) -> Option<&'static str> {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_broadcast() => Some("the broadcast address"),
        SocketAddr::V6(v6) if v6.ip().to_ipv4_mapped().is_some() => Some("an IPv4-mapped address"),
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0 => {
            Some("a link-local address needs the number of its interface, as in \"[fe80::1%2]:53\"")
        }
        _ if address.ip().is_multicast() => Some("a multicast address"),
        _ => None,
    }
}

/// Reports addresses of two transports that overlap. Within one transport, a wildcard address and
/// an address with the same port may both be listed. Each item is a key and its addresses.
pub(super) fn report_conflicts(section: &Section<'_>, transports: &[(&str, &[Listen])]) {
    for (i, (later_key, later)) in transports.iter().enumerate() {
        for (earlier_key, earlier) in &transports[..i] {
            for listen in *later {
                let conflict = earlier.iter().find(|other| overlap(other.address, listen.address));
                if let Some(other) = conflict {
                    let message =
                        format!("{} of `{later_key}` is taken by {} of `{earlier_key}`", listen.address, other.address);
                    section.report.add(listen.problem(message).with_hint("each transport has a port of its own"));
                }
            }
        }
    }
}

/// Returns true if two addresses cannot both be bound exclusively: they have the same port, and the
/// same IP address or a wildcard.
pub fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let same_address = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && a.port() != 0 && a.is_ipv4() == b.is_ipv4() && same_address
}
