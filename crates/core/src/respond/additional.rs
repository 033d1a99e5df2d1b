//! Additional records: the addresses of the hosts that an answer names, so that clients need not
//! ask for them. They are left out if there is no room.

use crate::message::{Answer, Glue, Records};
use crate::name::{Folded, wire_len};
use crate::snapshot::Snapshot;
use crate::zone::{Lookup, RrsetRef, Rtype};

/// Most hosts whose addresses are looked up for one answer.
const MAX_HOSTS: usize = 16;

/// Adds the static addresses of the hosts that an RRset of a zone names. Addresses of shared names
/// are not added: they would be drawn, and counted, for clients that may not use them.
pub(super) fn add_addresses<'a>(answer: &mut Answer<'a>, owner: &'a [u8], rrset: RrsetRef<'a>, snapshot: &'a Snapshot) {
    for rdata in rrset.rdatas.into_iter().take(MAX_HOSTS) {
        let Some(host) = host(rrset.rtype, rdata, owner) else { continue };
        let is_there = |records: &Records<'_>| records.owner.eq_ignore_ascii_case(host);
        let is_answered = answer.answers.iter().any(|records| is_there(records) && is_address(records.rtype));
        if is_answered || answer.additional.iter().any(|glue| is_there(&glue.records)) {
            continue;
        }
        let folded = Folded::new(host);
        let Some(zone) = snapshot.config.zones.find(&folded, Rtype::A) else { continue };
        for rtype in [Rtype::A, Rtype::AAAA] {
            if let Lookup::Rrset(addresses) = zone.lookup(&folded, rtype) {
                answer.additional.push(Glue { records: Records::of(host, addresses), required: false });
            }
        }
    }
}

fn is_address(rtype: Rtype) -> bool {
    matches!(rtype, Rtype::A | Rtype::AAAA)
}

/// The host that a record names, in wire format, if clients of its type connect to a host.
fn host<'a>(rtype: Rtype, rdata: &'a [u8], owner: &'a [u8]) -> Option<&'a [u8]> {
    let before = match rtype {
        Rtype::NS => 0,
        Rtype::MX | Rtype::KX | Rtype::AFSDB => 2,
        Rtype::SRV => 6,
        Rtype::SVCB | Rtype::HTTPS => 2,
        _ => return None,
    };
    let name = rdata.get(before..)?;
    match (&name[..wire_len(name)?], rtype) {
        // In ServiceMode, the root stands for the owner name (RFC 9460 §2.5.2).
        (&[0], Rtype::SVCB | Rtype::HTTPS) => rdata.get(..2).filter(|priority| *priority != [0, 0]).map(|_| owner),
        // No service (RFC 7505, RFC 2782).
        (&[0], _) => None,
        (host, _) => Some(host),
    }
}
