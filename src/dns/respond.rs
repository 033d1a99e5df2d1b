//! One packet in, one packet out: parse, answer, encode, or the short cut that `fast` knows. Every transport calls this.

use std::sync::{Arc, Mutex, PoisonError};

use super::answer::answer;
use super::edns::PLAIN_UDP;
use super::encode::{encode, encode_rejection};
use super::fast;
use super::query::{Query, Received, parse};
use super::tally::Tally;
use crate::serving::Serving;

/// How a packet came, which bounds the response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// Within the size that the client offers.
    Udp,
    /// TCP and what runs over it: up to 65,535 bytes.
    Stream,
}

/// Who answers: a worker, or all connections of a listener in turn.
#[derive(Debug)]
pub struct Responder {
    /// What nodes are drawn with.
    pub(super) rng: fastrand::Rng,
    /// Where is counted what was answered.
    pub(super) tally: Tally,
}

impl Responder {
    /// One that draws as nobody can foretell.
    pub fn new(tally: Tally) -> Self {
        Self { rng: fastrand::Rng::new(), tally }
    }

    /// Draws what follows from this number, from now on.
    pub fn reseed(&mut self, seed: u64) {
        self.rng.seed(seed);
    }

    /// Writes the response to a packet into `out`; `false` when there is none.
    #[must_use]
    pub fn respond(&mut self, packet: &[u8], transport: Transport, serving: &Serving, out: &mut Vec<u8>) -> bool {
        self.respond_by(packet, transport, serving, out, |responder, query, limit, out| {
            if !fast::respond(query, limit, serving, responder, out) {
                responder.generally(query, limit, serving, out);
            }
        })
    }

    /// The same without the fast path: what it must be equal to.
    #[must_use]
    pub fn respond_generally(
        &mut self,
        packet: &[u8],
        transport: Transport,
        serving: &Serving,
        out: &mut Vec<u8>,
    ) -> bool {
        self.respond_by(packet, transport, serving, out, |responder, query, limit, out| {
            responder.generally(query, limit, serving, out);
        })
    }

    fn respond_by(
        &mut self,
        packet: &[u8],
        transport: Transport,
        serving: &Serving,
        out: &mut Vec<u8>,
        answer: impl FnOnce(&mut Self, &Query<'_>, usize, &mut Vec<u8>),
    ) -> bool {
        // By reference: to move what was parsed would be a tenth of what a shared name costs.
        match &parse(packet) {
            Received::Ignored => {
                self.tally.ignored();
                return false;
            }
            Received::Rejected(rejection) => {
                encode_rejection(rejection, serving.fixed.nsid.as_deref(), out);
                self.tally.general();
                self.tally.response(rejection.rcode, false);
            }
            Received::Query(query) => {
                let limit = match transport {
                    Transport::Udp => query.edns.as_ref().map_or(PLAIN_UDP, |edns| edns.udp_limit()),
                    Transport::Stream => u16::MAX,
                };
                answer(self, query, usize::from(limit), out);
            }
        }
        true
    }

    /// Answers by the definition.
    fn generally(&mut self, query: &Query<'_>, limit: usize, serving: &Serving, out: &mut Vec<u8>) {
        let answer = answer(&query.question, serving, &mut self.rng);
        let written = encode(query, &answer, limit, serving.fixed.nsid.as_deref(), out);
        self.tally.general();
        self.tally.response(answer.rcode, written.is_truncated);
        if let Some(pool) = answer.drawn_from {
            self.count_nodes(serving, pool, answer.drawn_nodes().take(written.drawn));
        }
    }

    /// Counts the nodes of a pool whose addresses an answer holds.
    pub(super) fn count_nodes(&mut self, serving: &Serving, pool: usize, nodes: impl Iterator<Item = u32>) {
        let numbers = serving.fixed.numbers.of(pool);
        for number in nodes.filter_map(|node| numbers.get(node as usize)) {
            self.tally.node(*number);
        }
    }
}

/// The one responder of all connections of a listener: what a query costs there is far more than its lock.
#[derive(Clone, Debug)]
pub(super) struct SharedResponder(Arc<Mutex<Responder>>);

impl SharedResponder {
    pub(super) fn new(tally: Tally) -> Self {
        Self(Arc::new(Mutex::new(Responder::new(tally))))
    }

    /// Writes the response to a message of a stream into `out`; `false` when there is none.
    #[must_use]
    pub(super) fn respond(&self, message: &[u8], serving: &Serving, out: &mut Vec<u8>) -> bool {
        // What a panic left there can be counted on with.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).respond(message, Transport::Stream, serving, out)
    }
}
