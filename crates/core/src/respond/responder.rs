//! The responder: parses a packet, and answers it on the fast path if possible, or else on the slow
//! path.

use super::admission::{Admission, admit};
use super::answer::{answer, server_answer};
use super::client::Sender;
use super::fast_path;
use super::synthesized::SynthesizedNames;
use super::transport::Bounds;
use super::worker_state::WorkerState;
use crate::counters::WorkerCounters;
use crate::message::{
    Query, Rcode, Received, Rejection, ResponseOptions, encode, encode_rejection, encode_truncated, parse,
};
use crate::snapshot::Snapshot;

/// Responds to the packets of one worker, or of all connections of a listener one after the other.
#[derive(Debug)]
pub struct Responder(WorkerState);

impl Responder {
    /// A responder with an unpredictable random number generator.
    pub fn new(counters: WorkerCounters) -> Self {
        Self(WorkerState { rng: fastrand::Rng::new(), counters })
    }

    /// The counters of its responses.
    pub fn counters(&self) -> &WorkerCounters {
        &self.0.counters
    }

    /// Seeds the random number generator. Tests use it to repeat a draw.
    pub fn reseed(&mut self, seed: u64) {
        self.0.rng.seed(seed);
    }

    /// Writes the response to a packet into `out`. Returns false if the packet gets no response.
    #[must_use]
    pub fn respond(
        &mut self,
        packet: &[u8],
        sender: impl Into<Sender>,
        snapshot: &Snapshot,
        out: &mut Vec<u8>,
    ) -> bool {
        self.respond_by(packet, &sender.into(), snapshot, out, |responder, query, bounds, out| {
            if !fast_path::respond(&mut responder.0, query, bounds, snapshot, out) {
                responder.slow_path(query, bounds, snapshot, out);
            }
        })
    }

    /// Responds without the fast path. The response must be the same as that of [`Self::respond`].
    #[must_use]
    pub fn respond_by_slow_path(
        &mut self,
        packet: &[u8],
        sender: impl Into<Sender>,
        snapshot: &Snapshot,
        out: &mut Vec<u8>,
    ) -> bool {
        self.respond_by(packet, &sender.into(), snapshot, out, |responder, query, bounds, out| {
            responder.slow_path(query, bounds, snapshot, out);
        })
    }

    /// Parses a packet, and writes the response to a query with `answer`.
    fn respond_by(
        &mut self,
        packet: &[u8],
        sender: &Sender,
        snapshot: &Snapshot,
        out: &mut Vec<u8>,
        answer: impl FnOnce(&mut Self, &Query<'_>, &Bounds<'_>, &mut Vec<u8>),
    ) -> bool {
        let transport = sender.transport;
        // By reference: moving the parsed query would take 10 % of the time of a fast response.
        let received = &parse(packet);
        let admission = match received {
            Received::Ignored => {
                self.0.counters.count_ignored();
                return false;
            }
            _ => admit(received.edns(), sender, &snapshot.config.clients, &mut self.0.rng),
        };
        match (received, admission) {
            (Received::Rejected(rejection), Admission::Answer(cookie)) => {
                self.reject(rejection, &transport.options(cookie, snapshot), out);
            }
            (Received::Query(query), Admission::Answer(cookie)) => {
                let limit = usize::from(transport.limit(query));
                answer(self, query, &Bounds { limit, options: transport.options(cookie, snapshot) }, out);
            }
            (Received::ServerQuery(query), Admission::Answer(cookie)) => {
                let answer = server_answer(&query.question, snapshot);
                let limit = usize::from(transport.limit(query));
                let written = encode(query, &answer, limit, &transport.options(cookie, snapshot), out);
                self.0.counters.count_slow_path();
                self.0.counters.count_response(answer.rcode, written.is_truncated);
            }
            (Received::Query(query) | Received::ServerQuery(query), admission) => {
                return self.limit(query, &admission, sender, snapshot, out);
            }
            (Received::Rejected(_) | Received::Ignored, _) => {
                self.0.counters.count_rate_limited();
                return false;
            }
        }
        true
    }

    /// Writes an error.
    fn reject(&self, rejection: &Rejection<'_>, options: &ResponseOptions<'_>, out: &mut Vec<u8>) {
        encode_rejection(rejection, options, out);
        self.0.counters.count_slow_path();
        self.0.counters.count_response(rejection.rcode, false);
    }

    /// Writes the response to a query over the rate limit. Returns false if there is none.
    #[cold]
    fn limit(
        &self,
        query: &Query<'_>,
        admission: &Admission,
        sender: &Sender,
        snapshot: &Snapshot,
        out: &mut Vec<u8>,
    ) -> bool {
        self.0.counters.count_rate_limited();
        // No identifier: the response must not be much longer than the query.
        let options = |cookie| ResponseOptions { nsid: None, ..sender.transport.options(cookie, snapshot) };
        match admission {
            Admission::AskForCookie(cookie) => {
                let Query { header, question, edns } = query;
                let question = Some(question.raw);
                let (header, rcode, edns) = (*header, Rcode::BadCookie, *edns);
                let rejection = Rejection { header, rcode, question, edns, extended_error: None, tsig: None };
                self.reject(&rejection, &options(Some(*cookie)), out);
            }
            Admission::Truncate => {
                encode_truncated(query, &options(None), out);
                self.0.counters.count_slow_path();
                self.0.counters.count_response(Rcode::NoError, true);
            }
            Admission::Answer(_) | Admission::Drop => return false,
        }
        true
    }

    /// Writes the response to a query as [`answer()`] defines it.
    fn slow_path(&mut self, query: &Query<'_>, bounds: &Bounds<'_>, snapshot: &Snapshot, out: &mut Vec<u8>) {
        let synthesized = SynthesizedNames::default();
        let answer = answer(&query.question, snapshot, &synthesized, &mut self.0.rng);
        let written = encode(query, &answer, bounds.limit, &bounds.options, out);
        self.0.counters.count_slow_path();
        self.0.counters.count_response(answer.rcode, written.is_truncated);
        if let Some(pool) = answer.drawn_from {
            self.0.count_records(snapshot, pool, answer.drawn_nodes().take(written.drawn));
        }
    }
}
