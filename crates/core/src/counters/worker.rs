//! The counters of one worker, to which no other thread writes.
//!
//! Counting needs no lock and no locked instruction: only stores into cache lines that the core of
//! the worker has already. Any thread may read the counters at any time, and sees recent values.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::message::Rcode;

/// Length of an array that is indexed by [`Rcode`], with the extended code.
const RCODES: usize = Rcode::BadCookie as usize + 1;

/// Number of latency steps: up to 2^0, 2^1, … microseconds; the last step has no bound.
pub(super) const LATENCY_STEPS: usize = 16;

/// The counters of one writer, in cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct CounterCells {
    /// Responses by rcode.
    pub(super) rcodes: [AtomicU64; RCODES],
    /// Packets that get no response.
    pub(super) ignored: AtomicU64,
    /// Responses that could not be sent.
    pub(super) unsent: AtomicU64,
    /// Queries that get no answer, because their clients are over the rate limit.
    pub(super) rate_limited: AtomicU64,
    /// Responses with TC set.
    pub(super) truncated: AtomicU64,
    /// Responses of the slow path.
    pub(super) slow_path: AtomicU64,
    /// Some of the responses, by the time from receiving their packets to sending them.
    pub(super) latency: [AtomicU64; LATENCY_STEPS],
    /// Records with an address of a node, by the node's number. Replaced by a longer array if there
    /// are more numbers.
    pub(super) nodes: ArcSwap<Box<[AtomicU64]>>,
}

/// The right to write to one set of counters. Each worker has one, and so have all streams of a
/// listener together.
#[derive(Debug)]
pub struct WorkerCounters {
    cells: Arc<CounterCells>,
    /// The array of `cells.nodes`.
    nodes: Arc<Box<[AtomicU64]>>,
}

/// Adds to a counter that has no other writer, which needs no locked instruction.
fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

impl WorkerCounters {
    /// Continues these counters. The caller ensures that there is no other writer.
    pub(super) fn new(cells: Arc<CounterCells>) -> Self {
        let nodes = cells.nodes.load_full();
        Self { cells, nodes }
    }

    /// Counts a packet that gets no response.
    pub fn count_ignored(&self) {
        add(&self.cells.ignored, 1);
    }

    /// Counts responses that could not be sent, in addition to [`Self::count_response`].
    pub fn count_unsent(&self, responses: usize) {
        add(&self.cells.unsent, responses as u64);
    }

    /// Counts a query that gets no answer, because its client is over the rate limit. If it gets a
    /// response without an answer, that is counted, too.
    pub fn count_rate_limited(&self) {
        add(&self.cells.rate_limited, 1);
    }

    /// Counts a response.
    pub fn count_response(&self, rcode: Rcode, is_truncated: bool) {
        add(&self.cells.rcodes[rcode as usize], 1);
        if is_truncated {
            self.count_truncated();
        }
    }

    /// Counts that a response has TC set, in addition to [`Self::count_response`].
    pub fn count_truncated(&self) {
        add(&self.cells.truncated, 1);
    }

    /// Counts that the slow path wrote a response, in addition to [`Self::count_response`].
    pub fn count_slow_path(&self) {
        add(&self.cells.slow_path, 1);
    }

    /// Counts a record with an address of the node with this number.
    pub fn count_record(&mut self, number: u32) {
        let number = number as usize;
        if number >= self.nodes.len() {
            self.grow(number);
        }
        add(&self.nodes[number], 1);
    }

    /// Counts responses that took this time, in addition to [`Self::count_response`].
    pub fn count_latency(&self, time: Duration, responses: usize) {
        let micros = time.as_nanos().div_ceil(1000).max(1);
        let step = micros.next_power_of_two().trailing_zeros() as usize;
        add(&self.cells.latency[step.min(LATENCY_STEPS - 1)], responses as u64);
    }

    /// Replaces the array of nodes by a longer copy. No count is lost, because there is no other
    /// writer.
    #[cold]
    fn grow(&mut self, number: usize) {
        let counted = self.nodes.iter().map(|count| count.load(Ordering::Relaxed)).chain(std::iter::repeat(0));
        self.nodes = Arc::new(counted.take((number + 1).next_power_of_two()).map(AtomicU64::new).collect());
        self.cells.nodes.store(Arc::clone(&self.nodes));
    }
}
