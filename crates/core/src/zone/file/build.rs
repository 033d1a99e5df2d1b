//! From the records of a zone file to a [`Zone`].

use super::check::{ByOwner, check};
use super::record::Record;
use crate::diagnostic::{Diagnostics, Source};
use crate::name::Name;
use crate::zone::{Rrset, Rtype, Zone};

/// Checks the records and makes a zone of them. `root` is the zone file itself.
///
/// Adds problems to `diagnostics`. Returns `None` if there is no SOA record; the caller discards
/// the zone if there was any other error.
pub(super) fn build(apex: &Name, root: &Source, records: &[Record], diagnostics: &mut Diagnostics) -> Option<Zone> {
    // If a record could not be read, it may be the one that is missing.
    let is_complete = !diagnostics.has_errors();
    let mut by_owner = ByOwner::new();
    for record in records {
        if record.owner.is_at_or_below(apex) {
            by_owner.entry(&record.owner).or_default().push(record);
        } else {
            let message = format!("{} is outside the zone {apex}", record.owner);
            diagnostics.push(record.error(message).with_hint(format!("names in this zone end in {apex}.")));
        }
    }
    check(apex, &by_owner, diagnostics);
    let owners: Vec<_> = by_owner.iter().map(|(name, records)| (*name, rrsets(records, diagnostics))).collect();
    let has_ns = by_owner.get(apex).is_some_and(|records| records.iter().any(|record| record.rtype == Rtype::NS));
    if is_complete && !has_ns {
        let message = format!("the zone {apex} has no NS record at its apex");
        diagnostics.push(root.error(0..0, message).with_hint("for example: @ NS ns1"));
    }
    let zone = Zone::new(apex.clone(), owners);
    if is_complete && zone.is_none() {
        let message = format!("the zone {apex} has no SOA record");
        diagnostics.push(root.error(0..0, message).with_hint("for example: @ SOA ns1 hostmaster 1 3600 900 604800 5"));
    }
    zone
}

/// Groups the records of one owner name into RRsets, each record once (RFC 2181 §5).
fn rrsets(records: &[&Record], diagnostics: &mut Diagnostics) -> Vec<Rrset> {
    let mut sorted: Vec<&Record> = records.to_vec();
    sorted.sort_by(|a, b| (a.rtype, &a.rdata).cmp(&(b.rtype, &b.rdata)));
    let mut rrsets = Vec::new();
    for group in sorted.chunk_by(|a, b| a.rtype == b.rtype) {
        let ttl = group.iter().map(|record| record.ttl).min().unwrap_or_default();
        if let Some(longer) = group.iter().find(|record| record.ttl != ttl) {
            let message = format!("the {} records of {} have different TTLs", longer.rtype, longer.owner);
            let hint = format!("the shortest, {ttl}, is used for all (RFC 2181 §5.2)");
            diagnostics.push(longer.warning(message).with_hint(hint));
        }
        let mut rdatas: Vec<Box<[u8]>> = group.iter().map(|record| record.rdata.clone()).collect();
        rdatas.dedup();
        rrsets.push(Rrset { rtype: group[0].rtype, ttl, rdatas });
    }
    rrsets
}
