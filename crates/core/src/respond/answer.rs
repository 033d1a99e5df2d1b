//! The answer to a question: a pure function of question, snapshot and random numbers.
//!
//! The responder calls [`answer()`] on the slow path. It defines which records each response has,
//! over all protocols; the fast path must give the same. It always gives an answer, if need be with
//! an error as its rcode.

use super::additional::add_addresses;
use super::synthesized::SynthesizedNames;
use crate::message::{Answer, Data, ExtendedError, Glue, Question, Rcode, Records};
use crate::name::{Folded, MAX_WIRE_LEN, Name, suffixes};
use crate::pool::PoolView;
use crate::snapshot::Snapshot;
use crate::zone::{Lookup, Redirection, Referral, Rtype, Zone};

/// Most aliases that are followed for one question. The resolver follows the rest of a longer
/// chain.
const MAX_ALIASES: usize = 16;

/// TTL of the answer to ANY, in seconds. It can be long because the answer never changes (RFC 8482
/// §4.2).
const ANY_TTL: u32 = 3600;

/// `HINFO "RFC8482" ""`: the small answer to every query for ANY (RFC 8482 §4.2).
const ANY_RDATA: &[u8] = b"\x07RFC8482\x00";

/// Answers a question from the snapshot. `synthesized` is empty; the answer borrows names from it.
///
/// The target of an alias is looked up like the name of the question, in any zone (RFC 1034 §4.3.2:
/// "go back to step 1"). AA is about the first owner name only (RFC 1035 §4.1.1).
pub fn answer<'a>(
    question: &Question<'a>,
    snapshot: &'a Snapshot,
    synthesized: &'a SynthesizedNames,
    rng: &mut fastrand::Rng,
) -> Answer<'a> {
    let qtype = question.qtype;
    let zones = &snapshot.config.zones;
    let qname = Folded::new(question.name);
    let Some(mut zone) = zones.find(&qname, qtype) else {
        return Answer::error(Rcode::Refused, ExtendedError::NotAuthoritative);
    };
    let mut answer = Answer::new(Rcode::NoError, true);
    let mut owner = question.name;
    let mut target_folded;
    let mut folded = &qname;
    for _ in 0..=MAX_ALIASES {
        let target = match zone.lookup(folded, qtype) {
            Lookup::Cname(cname) => {
                answer.push(owner, cname);
                Some(cname.rdatas.first())
            }
            Lookup::Dname(redirection) => redirect(&mut answer, owner, &redirection, synthesized),
            found => {
                end(&mut answer, found, Place { owner, qtype, zone }, snapshot, rng);
                None
            }
        };
        let is_passed = |target: &&[u8]| {
            let is_alias = |r: &Records<'_>| r.rtype == Rtype::CNAME && r.owner.eq_ignore_ascii_case(target);
            answer.answers.iter().any(is_alias)
        };
        let Some(target) = target.filter(|target| !is_passed(target)) else { break };
        // The alias itself is the answer; it can be one that a DNAME record makes.
        if matches!(qtype, Rtype::ANY | Rtype::CNAME) {
            break;
        }
        target_folded = Folded::new(target);
        let Some(next) = zones.find(&target_folded, qtype) else { break };
        (zone, owner, folded) = (next, target, &target_folded);
    }
    answer
}

/// Where a chain of aliases ends.
struct Place<'a> {
    owner: &'a [u8],
    qtype: Rtype,
    zone: &'a Zone,
}

/// Adds what was found for the last name of a chain of aliases.
fn end<'a>(
    answer: &mut Answer<'a>,
    found: Lookup<'a>,
    place: Place<'a>,
    snapshot: &'a Snapshot,
    rng: &mut fastrand::Rng,
) {
    let Place { owner, qtype, zone } = place;
    match found {
        Lookup::Rrset(rrset) => {
            answer.push(owner, rrset);
            add_addresses(answer, owner, rrset, snapshot);
        }
        Lookup::SharedName(shared) => match draw(&snapshot.pools[shared.pool], qtype, shared.answers, rng) {
            None => *answer = Answer::error(Rcode::ServFail, ExtendedError::NoNodeUp),
            // The next transition may bring an address, so NODATA must not be cached for longer
            // than addresses are.
            Some(data) if data.is_empty() => answer.add_soa(zone, shared.ttl),
            Some(data) => {
                answer.answers.push(Records { owner, rtype: qtype, ttl: shared.ttl, data });
                answer.drawn_from = Some(shared.pool);
            }
        },
        Lookup::Any => {
            answer.answers.push(Records { owner, rtype: Rtype::HINFO, ttl: ANY_TTL, data: Data::Fixed(ANY_RDATA) });
        }
        Lookup::NoData => answer.add_soa(zone, u32::MAX),
        Lookup::NxDomain => {
            // RFC 6604 §3: the rcode is that of the last name in a chain of aliases.
            answer.rcode = Rcode::NxDomain;
            answer.add_soa(zone, u32::MAX);
        }
        Lookup::Referral(referral) => refer(answer, owner, &referral, zone),
        // The chain goes on.
        Lookup::Cname(_) | Lookup::Dname(_) => {}
    }
}

/// Answers a question for a text about the server (RFC 4892).
pub(super) fn server_answer<'a>(question: &Question<'a>, snapshot: &'a Snapshot) -> Answer<'a> {
    match snapshot.config.server_texts.rdata(question.name) {
        Some(rdata) => {
            let mut answer = Answer::new(Rcode::NoError, true);
            let data = Data::Fixed(rdata);
            answer.answers.push(Records { owner: question.name, rtype: Rtype::TXT, ttl: 0, data });
            answer
        }
        None => Answer::error(Rcode::Refused, ExtendedError::NotSupported),
    }
}

/// Draws addresses of the family of a query type. Returns `None` if the pool answers SERVFAIL.
fn draw(view: &PoolView, qtype: Rtype, limit: usize, rng: &mut fastrand::Rng) -> Option<Data<'static>> {
    match view {
        PoolView::Addresses { v4, .. } if qtype == Rtype::A => Some(Data::V4(v4.draw(limit, rng))),
        PoolView::Addresses { v6, .. } => Some(Data::V6(v6.draw(limit, rng))),
        PoolView::ServFail => None,
    }
}

/// Adds a referral to the servers of a delegated zone (RFC 1034 §4.3.2 step 3b). The answer is not
/// authoritative, unless it begins with an alias.
fn refer<'a>(answer: &mut Answer<'a>, owner: &'a [u8], referral: &Referral<'a>, zone: &'a Zone) {
    answer.authoritative = !answer.answers.is_empty();
    let cut = ancestor(owner, referral.labels);
    let ns = referral.ns;
    answer.authority = Some(Records::of(cut, ns));
    let cut = Name::from_wire(cut);
    for server in ns.rdatas {
        let name = Name::from_wire(server);
        let required = name.is_at_or_below(&cut);
        for rrset in zone.glue(&name) {
            answer.additional.push(Glue { records: Records::of(server, rrset), required });
        }
    }
    // Required glue goes first, so that it is the last to be left out.
    answer.additional.sort_by_key(|glue| !glue.required);
}

/// Adds a DNAME record and the CNAME record that it makes for a name (RFC 6672 §3.1). Returns the
/// target of the alias, or `None` if it would be too long for a name.
fn redirect<'a>(
    answer: &mut Answer<'a>,
    owner: &'a [u8],
    redirection: &Redirection<'a>,
    synthesized: &'a SynthesizedNames,
) -> Option<&'a [u8]> {
    let dname = redirection.dname;
    let above = ancestor(owner, redirection.labels);
    let is_this = |records: &Records<'_>| records.rtype == Rtype::DNAME && records.owner.eq_ignore_ascii_case(above);
    // A chain can pass the same DNAME record twice.
    if !answer.answers.iter().any(is_this) {
        answer.push(above, dname);
    }
    let target = [&owner[..owner.len() - above.len()], dname.rdatas.first()].concat();
    if target.len() > MAX_WIRE_LEN {
        answer.rcode = Rcode::YxDomain;
        return None;
    }
    let target = synthesized.keep(target);
    answer.answers.push(Records { owner, rtype: Rtype::CNAME, ttl: dname.ttl, data: Data::Fixed(target) });
    Some(target)
}

/// The ancestor of a name with this number of labels, or the name itself.
fn ancestor(name: &[u8], labels: usize) -> &[u8] {
    let all = suffixes(name).count() - 1;
    suffixes(name).nth(all - labels).unwrap_or(name)
}
