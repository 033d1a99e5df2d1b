//! One packet in, one packet out: parse, answer, encode, or the short cut that `fast` knows. Every transport calls this.

use super::answer::answer;
use super::edns::PLAIN_UDP;
use super::encode::{encode, encode_rejection};
use super::fast;
use super::query::{Query, Received, parse};
use crate::serving::Serving;

/// How a packet came, which bounds the response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// Within the size that the client offers.
    Udp,
    /// TCP and what runs over it: up to 65,535 bytes.
    Stream,
}

/// Writes the response to a packet into `out`; `false` when there is none.
#[must_use]
pub fn respond(
    packet: &[u8],
    transport: Transport,
    serving: &Serving,
    rng: &mut fastrand::Rng,
    out: &mut Vec<u8>,
) -> bool {
    respond_by(packet, transport, serving, out, |query, limit, out| {
        if !fast::respond(query, limit, serving, rng, out) {
            generally(query, limit, serving, rng, out);
        }
    })
}

/// The same without the fast path: what it must be equal to.
#[must_use]
pub fn respond_generally(
    packet: &[u8],
    transport: Transport,
    serving: &Serving,
    rng: &mut fastrand::Rng,
    out: &mut Vec<u8>,
) -> bool {
    respond_by(packet, transport, serving, out, |query, limit, out| generally(query, limit, serving, rng, out))
}

fn respond_by(
    packet: &[u8],
    transport: Transport,
    serving: &Serving,
    out: &mut Vec<u8>,
    answer: impl FnOnce(&Query<'_>, usize, &mut Vec<u8>),
) -> bool {
    match parse(packet) {
        Received::Ignored => return false,
        Received::Rejected(rejection) => encode_rejection(&rejection, serving.fixed.nsid.as_deref(), out),
        Received::Query(query) => {
            let limit = match transport {
                Transport::Udp => query.edns.as_ref().map_or(PLAIN_UDP, |edns| edns.udp_limit()),
                Transport::Stream => u16::MAX,
            };
            answer(&query, usize::from(limit), out);
        }
    }
    true
}

/// Answers by the definition.
fn generally(query: &Query<'_>, limit: usize, serving: &Serving, rng: &mut fastrand::Rng, out: &mut Vec<u8>) {
    let answer = answer(&query.question, serving, rng);
    encode(query, &answer, limit, serving.fixed.nsid.as_deref(), out);
}
