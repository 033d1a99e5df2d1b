//! The checks that need all records of a zone: CNAME and other data, delegations, name servers.
//!
//! `build` calls [`check`] before it makes the zone. Errors and warnings go to the diagnostics.

use std::collections::{HashMap, HashSet};

use super::record::Record;
use crate::diagnostic::Diagnostics;
use crate::name::{self, Name};
use crate::zone::Rtype;

/// The records of a zone by their owner names.
pub(super) type ByOwner<'r> = HashMap<&'r Name, Vec<&'r Record>>;

/// Checks each name and each delegation.
pub(super) fn check(apex: &Name, by_owner: &ByOwner<'_>, diagnostics: &mut Diagnostics) {
    let servers: HashSet<Name> = by_owner.values().flatten().filter_map(|record| record.name_server()).collect();
    for (name, records) in by_owner {
        check_owner(name, apex, records, diagnostics);
        check_servers(name, apex, records, by_owner, diagnostics);
        check_hidden(name, apex, records, by_owner, &servers, diagnostics);
    }
}

/// Reports records that one name cannot have together, and records that only the apex can have.
fn check_owner(name: &Name, apex: &Name, records: &[&Record], diagnostics: &mut Diagnostics) {
    let of_type = |rtype| records.iter().filter(move |record| record.rtype == rtype);
    for soa in of_type(Rtype::SOA).skip(usize::from(name == apex)) {
        diagnostics.push(if name == apex {
            soa.error(format!("a second SOA record for {name}")).with_hint("a zone has exactly one")
        } else {
            soa.error(format!("an SOA record at {name}")).with_hint(format!("it belongs at the apex, {apex}"))
        });
    }
    if let Some(cname) = of_type(Rtype::CNAME).next() {
        if let Some(other) = records.iter().find(|r| r.rtype != Rtype::CNAME) {
            let (rtype, path, line) = (other.rtype, other.source.path(), other.source.line_of(other.span.start));
            let message = format!("CNAME and other data: {name} also has a {rtype} record, at {path}:{line}");
            diagnostics.push(
                cname.error(message).with_hint("a name with a CNAME record has no other records (RFC 2181 §10.1)"),
            );
        }
        if let Some(second) = of_type(Rtype::CNAME).find(|r| r.rdata != cname.rdata) {
            let message = format!("a second CNAME record for {name}");
            diagnostics
                .push(second.error(message).with_hint("a name can be an alias of only one name (RFC 2181 §10.1)"));
        }
    }
    if name.is_wildcard()
        && name != apex
        && let Some(ns) = of_type(Rtype::NS).next()
    {
        let message = format!("NS record at the wildcard {name}");
        diagnostics.push(ns.error(message).with_hint("a wildcard cannot be a delegation (RFC 4592 §4.2)"));
    }
}

/// The nearest delegation at or above a name, below the apex.
fn cut_above(name: &Name, apex: &Name, by_owner: &ByOwner<'_>) -> Option<Name> {
    name::suffixes(name.as_wire())
        .take_while(|suffix| suffix.len() > apex.as_wire().len())
        .map(Name::from_wire)
        .find(|above| by_owner.get(above).is_some_and(|records| has(records, Rtype::NS)))
}

fn has(records: &[&Record], rtype: Rtype) -> bool {
    records.iter().any(|record| record.rtype == rtype)
}

/// Warns about name servers whose address resolvers cannot find with this file.
fn check_servers(name: &Name, apex: &Name, records: &[&Record], by_owner: &ByOwner<'_>, diagnostics: &mut Diagnostics) {
    for record in records {
        let Some(server) = record.name_server().filter(|server| server.is_at_or_below(apex)) else { continue };
        let there = by_owner.get(&server).map_or(&[][..], Vec::as_slice);
        let is_own = name == apex && cut_above(&server, apex, by_owner).is_none();
        if has(there, Rtype::CNAME) {
            let message = format!("name server {server} of {name} is an alias");
            diagnostics.push(record.warning(message).with_hint("an NS record must not name an alias (RFC 2181 §10.3)"));
        } else if !has_address(there) && (is_own || server.is_at_or_below(name)) && !by_wildcard(&server, by_owner) {
            let message = format!("name server {server} of {name} has no address in this file");
            diagnostics.push(
                record.warning(message).with_hint("add an A or AAAA record, without which resolvers cannot find it"),
            );
        }
    }
}

fn has_address(records: &[&Record]) -> bool {
    has(records, Rtype::A) || has(records, Rtype::AAAA)
}

/// Returns true if a name without records may get an address from a wildcard above it.
fn by_wildcard(name: &Name, by_owner: &ByOwner<'_>) -> bool {
    let wildcard = |above: &[u8]| Name::from_wire(&[b"\x01*", above].concat());
    let mut wildcards =
        name::suffixes(name.as_wire()).skip(1).filter(|above| above.len() + 2 <= name::MAX_WIRE_LEN).map(wildcard);
    !by_owner.contains_key(name)
        && wildcards.any(|name| by_owner.get(&name).is_some_and(|records| has_address(records)))
}

/// Warns about records that a delegation hides. At and below it, only NS, DS and the addresses of
/// name servers are used.
fn check_hidden(
    name: &Name,
    apex: &Name,
    records: &[&Record],
    by_owner: &ByOwner<'_>,
    servers: &HashSet<Name>,
    diagnostics: &mut Diagnostics,
) {
    let Some(cut) = cut_above(name, apex, by_owner) else { return };
    for record in records {
        let rtype = record.rtype;
        let is_cut = *name == cut && matches!(rtype, Rtype::NS | Rtype::DS);
        let is_glue = matches!(rtype, Rtype::A | Rtype::AAAA) && servers.contains(name);
        if !is_cut && !is_glue {
            let message = format!("{rtype} of {name} is never answered: {cut} is delegated");
            diagnostics.push(
                record
                    .warning(message)
                    .with_hint("at and below a delegation, only NS, DS and addresses of name servers are used"),
            );
        }
    }
}
