//! One packet in, one packet out: parse, answer, encode. Every transport calls this.

use super::answer::answer;
use super::edns::PLAIN_UDP;
use super::encode::{encode, encode_rejection};
use super::query::{Received, parse};
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
    let nsid = serving.fixed.nsid.as_deref();
    match parse(packet) {
        Received::Ignored => return false,
        Received::Rejected(rejection) => encode_rejection(&rejection, nsid, out),
        Received::Query(query) => {
            let limit = match transport {
                Transport::Udp => query.edns.as_ref().map_or(PLAIN_UDP, |edns| edns.udp_limit()),
                Transport::Stream => u16::MAX,
            };
            let answer = answer(&query.question, serving, rng);
            encode(&query, &answer, usize::from(limit), nsid, out);
        }
    }
    true
}
