//! The fast path: questions for the addresses of shared names, answered without an [`Answer`] in between.
//!
//! [`answer()`](super::answer::answer) and [`encode`] define what is answered. This writes the same
//! bytes, from the same draw, for the questions that nearly all clients ask: it knows a shared name by the whole of its
//! wire form, its owner name is always a pointer to the question, and its negative answer was written when the zones
//! were loaded. What it does not fully understand it leaves to them: aliases, wildcards, other types, pools that answer
//! SERVFAIL, answers that do not fit.

use hashbrown::HashMap;

use super::answer::Answer;
use super::encode::{encode, finish, start};
use super::query::{HEADER_LEN, Header, Query, Question, Rcode};
use super::respond::Responder;
use crate::name::{MAX_WIRE_LEN, fold};
use crate::pool::{Candidates, PoolView};
use crate::serving::Serving;
use crate::zone::{Rtype, SharedName, Zone, Zones};

/// What stands before the address of a record: the owner name as a pointer to the question, type, class, TTL, length.
const BEFORE_ADDRESS: usize = 12;

/// The shared names of all zones, by their folded wire form.
#[derive(Debug)]
pub struct SharedNames(HashMap<Box<[u8]>, Prepared>);

/// A shared name, and what is answered when its pool has no address of a family.
#[derive(Debug)]
struct Prepared {
    shared: SharedName,
    /// The SOA record behind the question, its names compressed.
    nothing: Box<[u8]>,
}

impl SharedNames {
    /// Prepares the names of these zones.
    pub fn of(zones: &Zones) -> Self {
        // The root's name is as short as a pointer, and is written instead of one.
        let shared = zones.shared_names().filter(|(_, name, _)| name.as_wire().len() > 1);
        Self(
            shared
                .map(|(zone, name, shared)| {
                    let nothing = nothing(zone, name.as_wire(), shared.ttl);
                    (name.as_wire().into(), Prepared { shared, nothing })
                })
                .collect(),
        )
    }
}

/// The authority section of an answer without addresses: what `encode` writes behind the question.
fn nothing(zone: &Zone, name: &[u8], ttl: u32) -> Box<[u8]> {
    let raw = [name, &Rtype::A.0.to_be_bytes(), &[0, 1]].concat();
    let question = Question { name, qtype: Rtype::A, raw: &raw };
    let query = Query { header: Header { id: 0, flags: 0 }, question, edns: None };
    let mut out = Vec::new();
    encode(&query, &Answer::nothing(zone, ttl), usize::from(u16::MAX), None, &mut out);
    out[HEADER_LEN + raw.len()..].into()
}

/// Writes the response to a query into `out`, at most `limit` bytes; `false` when that is left to others, with nothing
/// drawn.
#[must_use]
pub(super) fn respond(
    query: &Query<'_>,
    limit: usize,
    serving: &Serving,
    responder: &mut Responder,
    out: &mut Vec<u8>,
) -> bool {
    let Question { name, qtype, raw } = &query.question;
    if !matches!(*qtype, Rtype::A | Rtype::AAAA) {
        return false;
    }
    let mut room = [0; MAX_WIRE_LEN];
    let Some(Prepared { shared, nothing }) = serving.fixed.shared.0.get(fold(name, &mut room)) else { return false };
    let PoolView::Addresses { v4, v6 } = &*serving.pools[shared.pool] else { return false };
    let nsid = serving.fixed.nsid.as_deref();
    let opt_len = query.edns.as_ref().map_or(0, |edns| edns.response_len(nsid));
    let room = limit.saturating_sub(HEADER_LEN + raw.len() + opt_len);
    let is_empty = if *qtype == Rtype::A { v4.is_empty() } else { v6.is_empty() };
    let counts = if is_empty {
        if nothing.len() > room {
            return false;
        }
        start(raw, out);
        out.extend_from_slice(nothing);
        [0, 1, 0]
    } else {
        let drawn = match *qtype {
            Rtype::A => put_drawn(v4, *shared, room, &query.question, serving, responder, out),
            _ => put_drawn(v6, *shared, room, &query.question, serving, responder, out),
        };
        match drawn {
            Some(count) => [count, 0, 0],
            None => return false,
        }
    };
    finish(query.header, Rcode::NoError, true, false, counts, query.edns.as_ref(), nsid, out);
    responder.tally.response(Rcode::NoError, false);
    true
}

/// Writes header, question and as many of the drawn addresses as there is room for; `None` when there is none for one.
fn put_drawn<const N: usize>(
    candidates: &Candidates<N>,
    shared: SharedName,
    room: usize,
    question: &Question<'_>,
    serving: &Serving,
    responder: &mut Responder,
    out: &mut Vec<u8>,
) -> Option<u16> {
    let most = room / (BEFORE_ADDRESS + N);
    if most == 0 {
        return None;
    }
    start(question.raw, out);
    let [type_high, type_low] = question.qtype.0.to_be_bytes();
    let [a, b, c, d] = shared.ttl.to_be_bytes();
    let before = [0xc0, HEADER_LEN as u8, type_high, type_low, 0, 1, a, b, c, d, 0, N as u8];
    let drawn = candidates.draw(shared.answers, &mut responder.rng);
    let put = drawn.len().min(most);
    let at = out.len();
    out.resize(at + put * (BEFORE_ADDRESS + N), 0);
    for (record, pick) in out[at..].chunks_exact_mut(BEFORE_ADDRESS + N).zip(&drawn) {
        record[..BEFORE_ADDRESS].copy_from_slice(&before);
        record[BEFORE_ADDRESS..].copy_from_slice(&pick.address);
    }
    responder.count_nodes(serving, shared.pool, drawn[..put].iter().map(|pick| pick.node));
    Some(put as u16)
}
