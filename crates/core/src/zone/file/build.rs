//! From the records of a zone file to a [`Zone`].

use std::collections::HashSet;

use smallvec::{SmallVec, smallvec};

use super::check::check;
use super::owners::ByOwner;
use super::problems::{Kind, Problems};
use super::rdata::canonical;
use super::record::Record;
use super::ttl::soa_minimum;
use crate::diagnostic::Source;
use crate::name::Name;
use crate::zone::{Rrset, Rtype, Zone};

/// Longest message without its OPT record, in bytes (RFC 1035 §4.2.2). Room is left for the longest
/// OPT record: most clients send one.
const MAX_MESSAGE: usize = 65_535 - 192;

/// Gives the records without a TTL the MINIMUM of the SOA record.
pub(super) fn fill_in_ttls(records: &mut [Record], problems: &mut Problems) {
    let soa = records.iter().find(|record| record.rtype == Rtype::SOA);
    let Some(minimum) = soa.and_then(|soa| soa_minimum(&soa.rdata)) else { return };
    for record in records.iter_mut().filter(|record| record.ttl.is_none()) {
        record.ttl = Some(minimum);
        problems.warn(Kind::MissingTtl, || {
            let warning = record.warning(format!("no TTL for {}", record.owner));
            warning.with_hint(format!("the MINIMUM of the SOA record, {minimum}, is used; add $TTL above all records"))
        });
    }
}

/// Checks the records and makes a zone of them. `root` is the zone file itself, `shared` the names
/// whose addresses are drawn from pools.
///
/// Returns `None` if there is no SOA record; the caller discards the zone if there was any other
/// error.
pub(super) fn build(
    apex: &Name,
    root: &Source,
    records: &[Record],
    shared: &HashSet<Name>,
    problems: &mut Problems,
) -> Option<Zone> {
    // If a record could not be read, it may be the one that is missing.
    let is_complete = !problems.has_errors();
    let by_owner = ByOwner::new(records);
    check(apex, &by_owner, shared, problems);
    let has_ns = by_owner.get(apex).iter().any(|record| record.rtype == Rtype::NS);
    if is_complete && !has_ns {
        problems.warn(Kind::WithoutServers, || {
            let message = format!("the zone {apex} has no NS record at its apex");
            root.warning(0..0, message).with_hint("resolvers may reject the zone; for example: @ NS ns1")
        });
    }
    let zone = Zone::new(apex.clone(), by_owner.iter().map(|(name, records)| (name, rrsets(records, problems))));
    if is_complete && zone.is_none() {
        let message = format!("the zone {apex} has no SOA record");
        problems.error(root.error(0..0, message).with_hint("for example: @ SOA ns1 hostmaster 1 3600 900 604800 5"));
    }
    zone
}

/// Groups the records of one owner name into RRsets. Of equal records, the first is kept (RFC 2181
/// §5).
fn rrsets<'r>(records: &[&'r Record], problems: &mut Problems) -> SmallVec<[Rrset<'r>; 1]> {
    let mut sorted: SmallVec<[&Record; 4]> = records.into();
    sorted.sort_by_key(|record| record.rtype);
    sorted.chunk_by(|a, b| a.rtype == b.rtype).map(|group| rrset(group, problems)).collect()
}

/// Makes an RRset of the records of one name and type.
fn rrset<'r>(group: &[&'r Record], problems: &mut Problems) -> Rrset<'r> {
    let (rtype, owner) = (group[0].rtype, &group[0].owner);
    let ttl = group.iter().map(|record| record.ttl.unwrap_or_default()).min().unwrap_or_default();
    if let Some(longer) = group.iter().find(|record| record.ttl != Some(ttl)) {
        problems.warn(Kind::DifferentTtls, || {
            let message = format!("the {rtype} records of {owner} have different TTLs");
            let hint = format!("the shortest, {ttl}, is used for all (RFC 2181 §5.2)");
            longer.warning(message).with_hint(hint)
        });
    }
    let rrset = Rrset { rtype, ttl, rdatas: distinct(rtype, group) };
    let len = least_message_len(owner, &rrset);
    if len > MAX_MESSAGE {
        let message = format!("the {rtype} records of {owner} cannot be sent: they take {len} bytes in a message");
        let hint = format!("a message has at most {MAX_MESSAGE} bytes; remove some of the records");
        problems.error(group[0].error(message).with_hint(hint));
    }
    rrset
}

/// The rdata of records of one type, each once. Of equal records, it is that of the first.
fn distinct<'r>(rtype: Rtype, records: &[&'r Record]) -> SmallVec<[&'r [u8]; 1]> {
    if let [only] = records {
        return smallvec![&*only.rdata];
    }
    let mut rdatas: Vec<(Vec<u8>, &Record)> = records.iter().map(|r| (canonical(rtype, &r.rdata), *r)).collect();
    // A stable sort: of equal records, the first in the file stays the first.
    rdatas.sort_by(|a, b| a.0.cmp(&b.0));
    rdatas.dedup_by(|later, first| later.0 == first.0);
    rdatas.into_iter().map(|(_, record)| &*record.rdata).collect()
}

/// The least number of bytes of a response with an RRset: header, question, and records whose names
/// are compressed against the question.
fn least_message_len(owner: &Name, rrset: &Rrset<'_>) -> usize {
    const HEADER: usize = 12;
    const QUESTION: usize = 4;
    const OWNER_TO_LENGTH: usize = 12;
    let compressible = rrset.rtype.compressible_names();
    // Names can be compressed against each other too. Then only a pointer is sent for certain.
    let rdata_len = |rdata: &[u8]| match compressible.names {
        0 => rdata.len(),
        names => compressible.before + 2 * names,
    };
    let records: usize = rrset.rdatas.iter().map(|rdata| OWNER_TO_LENGTH + rdata_len(rdata)).sum();
    HEADER + owner.as_wire().len() + QUESTION + records
}
