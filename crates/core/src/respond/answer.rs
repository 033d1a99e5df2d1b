//! What is answered: a pure function of the question, the snapshot and the random numbers.
//!
//! It defines the product. The bytes on the wire are this answer, on every transport.

use crate::message::{Answer, Data, Glue, Question, Rcode, Records};
use crate::name::{Folded, Name, suffixes};
use crate::pool::PoolView;
use crate::snapshot::Snapshot;
use crate::zone::{Lookup, Referral, Rtype, SharedName, Zone};

/// Aliases that are followed for one question; longer chains are left to the resolver.
const MAX_ALIASES: usize = 16;

/// TTL of the answer to ANY, in seconds: it never changes (RFC 8482 §4.2).
const ANY_TTL: u32 = 3600;

/// `HINFO "RFC8482" ""`: the one small answer to ANY (RFC 8482 §4.2).
const ANY_RDATA: &[u8] = b"\x07RFC8482\x00";

/// Answers a question from the snapshot.
///
/// The target of an alias is looked up like the name that was asked, in whichever zone it lies (RFC 1034 §4.3.2: "go
/// back to step 1"); AA speaks of the first owner name only (RFC 1035 §4.1.1).
pub fn answer<'a>(question: &Question<'a>, snapshot: &'a Snapshot, rng: &mut fastrand::Rng) -> Answer<'a> {
    let qtype = question.qtype;
    let zones = &snapshot.config.zones;
    let asked = Folded::new(question.name);
    let Some(mut zone) = zones.find(&asked, qtype) else {
        return Answer::new(Rcode::Refused, false);
    };
    let mut answer = Answer::new(Rcode::NoError, true);
    let mut owner = question.name;
    let mut target_folded;
    let mut folded = &asked;
    loop {
        match zone.lookup(folded, qtype) {
            Lookup::Rrset(rrset) => answer.push(owner, rrset),
            Lookup::SharedName(shared) => draw(&mut answer, owner, shared, qtype, zone, snapshot, rng),
            Lookup::Any => {
                answer.answers.push(Records { owner, rtype: Rtype::HINFO, ttl: ANY_TTL, data: Data::Fixed(ANY_RDATA) });
            }
            Lookup::NoData => answer.add_soa(zone, u32::MAX),
            Lookup::NxDomain => {
                // RFC 6604 §3: the code of the last name in a chain of aliases.
                answer.rcode = Rcode::NxDomain;
                answer.add_soa(zone, u32::MAX);
            }
            Lookup::Referral(referral) => refer(&mut answer, owner, &referral, zone),
            Lookup::Cname(cname) => {
                answer.push(owner, cname);
                let target = &*cname.rdatas[0];
                let repeats = answer.answers.iter().any(|records| records.owner.eq_ignore_ascii_case(target));
                if qtype != Rtype::ANY && !repeats && answer.answers.len() <= MAX_ALIASES {
                    target_folded = Folded::new(target);
                    if let Some(next) = zones.find(&target_folded, qtype) {
                        (zone, owner, folded) = (next, target, &target_folded);
                        continue;
                    }
                }
            }
        }
        return answer;
    }
}

/// Answers a shared name from its pool.
fn draw<'a>(
    answer: &mut Answer<'a>,
    owner: &'a [u8],
    shared: SharedName,
    qtype: Rtype,
    zone: &'a Zone,
    snapshot: &Snapshot,
    rng: &mut fastrand::Rng,
) {
    let PoolView::Addresses { v4, v6 } = &*snapshot.pools[shared.pool] else {
        *answer = Answer::new(Rcode::ServFail, false);
        return;
    };
    let (empty, data) = if qtype == Rtype::A {
        let drawn = v4.draw(shared.answers, rng);
        (drawn.is_empty(), Data::V4(drawn))
    } else {
        let drawn = v6.draw(shared.answers, rng);
        (drawn.is_empty(), Data::V6(drawn))
    };
    if empty {
        // The next flip may fill the family: "nothing" must not be kept longer than addresses are.
        answer.add_soa(zone, shared.ttl);
    } else {
        answer.answers.push(Records { owner, rtype: qtype, ttl: shared.ttl, data });
        answer.drawn_from = Some(shared.pool);
    }
}

/// Points at the servers of a delegated zone (RFC 1034 §4.3.2 step 3b): not authoritative, unless aliases led here.
fn refer<'a>(answer: &mut Answer<'a>, owner: &'a [u8], referral: &Referral<'a>, zone: &'a Zone) {
    answer.authoritative = !answer.answers.is_empty();
    let labels = suffixes(owner).count() - 1;
    let cut = suffixes(owner).nth(labels - referral.labels).unwrap_or(owner);
    let ns = referral.ns;
    answer.authority = Some(Records { owner: cut, rtype: Rtype::NS, ttl: ns.ttl, data: Data::Rrset(&ns.rdatas) });
    let cut = Name::from_wire(cut);
    for server in &ns.rdatas {
        let name = Name::from_wire(server);
        let required = name.is_at_or_below(&cut);
        for rrset in zone.glue(&name) {
            let data = Data::Rrset(&rrset.rdatas);
            let records = Records { owner: server, rtype: rrset.rtype, ttl: rrset.ttl, data };
            answer.additional.push(Glue { records, required });
        }
    }
    // What must not be lost is sent first.
    answer.additional.sort_by_key(|glue| !glue.required);
}
