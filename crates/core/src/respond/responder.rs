//! Answers packets: parses them, and takes the fast path if it can, the slow path otherwise.

use super::answer::answer;
use super::fast_path;
use super::worker_state::WorkerState;
use crate::counters::WorkerCounters;
use crate::message::{PLAIN_UDP, Query, Received, encode, encode_rejection, parse};
use crate::snapshot::Snapshot;

/// How a packet came, which bounds the response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// Within the size that the client offers.
    Udp,
    /// TCP and what runs over it: up to 65,535 bytes.
    Stream,
}

/// Answers the queries of one worker, or of all connections of a listener in turn.
#[derive(Debug)]
pub struct Responder(WorkerState);

impl Responder {
    /// A responder with an unpredictable random number generator.
    pub fn new(counters: WorkerCounters) -> Self {
        Self(WorkerState { rng: fastrand::Rng::new(), counters })
    }

    /// Where it counts its responses.
    pub fn counters(&self) -> &WorkerCounters {
        &self.0.counters
    }

    /// Makes the following draws depend on this number alone.
    pub fn reseed(&mut self, seed: u64) {
        self.0.rng.seed(seed);
    }

    /// Writes the response to a packet into `out`. Returns false if the packet gets no response.
    #[must_use]
    pub fn respond(&mut self, packet: &[u8], transport: Transport, snapshot: &Snapshot, out: &mut Vec<u8>) -> bool {
        self.respond_by(packet, transport, snapshot, out, |responder, query, limit, out| {
            if !fast_path::respond(&mut responder.0, query, limit, snapshot, out) {
                responder.slow_path(query, limit, snapshot, out);
            }
        })
    }

    /// The same without the fast path, which must be equal to it.
    #[must_use]
    pub fn respond_by_slow_path(
        &mut self,
        packet: &[u8],
        transport: Transport,
        snapshot: &Snapshot,
        out: &mut Vec<u8>,
    ) -> bool {
        self.respond_by(packet, transport, snapshot, out, |responder, query, limit, out| {
            responder.slow_path(query, limit, snapshot, out);
        })
    }

    fn respond_by(
        &mut self,
        packet: &[u8],
        transport: Transport,
        snapshot: &Snapshot,
        out: &mut Vec<u8>,
        answer: impl FnOnce(&mut Self, &Query<'_>, usize, &mut Vec<u8>),
    ) -> bool {
        // By reference: to move the parsed query would take a tenth of the time of a shared name's response.
        match &parse(packet) {
            Received::Ignored => {
                self.0.counters.count_ignored();
                return false;
            }
            Received::Rejected(rejection) => {
                encode_rejection(rejection, snapshot.config.nsid.as_deref(), out);
                self.0.counters.count_slow_path();
                self.0.counters.count_response(rejection.rcode, false);
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
    fn slow_path(&mut self, query: &Query<'_>, limit: usize, snapshot: &Snapshot, out: &mut Vec<u8>) {
        let answer = answer(&query.question, snapshot, &mut self.0.rng);
        let written = encode(query, &answer, limit, snapshot.config.nsid.as_deref(), out);
        self.0.counters.count_slow_path();
        self.0.counters.count_response(answer.rcode, written.is_truncated);
        if let Some(pool) = answer.drawn_from {
            self.0.count_records(snapshot, pool, answer.drawn_nodes().take(written.drawn));
        }
    }
}
