//! What one worker has answered, counted where nobody else writes.
//!
//! A worker adds to numbers of its own: no lock, no instruction that other cores must agree on, a few stores into
//! lines of the cache that its core already has. Anybody may read them at any time, and sees each as it was a moment ago.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::message::Rcode;

/// Places of [`Rcode`]s, the extended one included.
const RCODES: usize = Rcode::BadVers as usize + 1;

/// Times up to 2^0, 2^1, … microseconds, and longer ones.
pub(super) const LATENCY_STEPS: usize = 16;

/// The numbers of one writer, in cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct CounterCells {
    /// Responses, by their code.
    pub(super) rcodes: [AtomicU64; RCODES],
    /// Packets that may not be answered.
    pub(super) ignored: AtomicU64,
    /// Responses with TC set.
    pub(super) truncated: AtomicU64,
    /// Responses that the fast path has left to others.
    pub(super) slow_path: AtomicU64,
    /// Some of the responses, by the time from taking their packets to sending them.
    pub(super) latency: [AtomicU64; LATENCY_STEPS],
    /// Records with an address of a node, by the node's number; replaced when there are more numbers.
    pub(super) nodes: ArcSwap<Box<[AtomicU64]>>,
}

/// A writer's hand on its numbers. There is one for each worker, and one for all streams of a listener.
#[derive(Debug)]
pub struct WorkerCounters {
    counts: Arc<CounterCells>,
    nodes: Arc<Box<[AtomicU64]>>,
}

/// Adds to a number that only the caller writes, which takes no locked instruction.
fn add(number: &AtomicU64, more: u64) {
    number.store(number.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

impl WorkerCounters {
    /// Goes on with these numbers; the caller sees to it that nobody else does.
    pub(super) fn on(counts: Arc<CounterCells>) -> Self {
        let nodes = counts.nodes.load_full();
        Self { counts, nodes }
    }

    /// A packet that gets no answer.
    pub fn count_ignored(&self) {
        add(&self.counts.ignored, 1);
    }

    /// A response.
    pub fn count_response(&self, rcode: Rcode, is_truncated: bool) {
        add(&self.counts.rcodes[rcode as usize], 1);
        if is_truncated {
            self.count_truncated();
        }
    }

    /// A response with TC set.
    pub fn count_truncated(&self) {
        add(&self.counts.truncated, 1);
    }

    /// A response that the fast path has not written.
    pub fn count_slow_path(&self) {
        add(&self.counts.slow_path, 1);
    }

    /// A record with an address of the node of this number.
    pub fn count_record(&mut self, number: u32) {
        let number = number as usize;
        if number >= self.nodes.len() {
            self.grow(number);
        }
        add(&self.nodes[number], 1);
    }

    /// Responses that were sent so long after their packets were taken.
    pub fn count_latency(&self, time: Duration, responses: usize) {
        let micros = time.as_nanos().div_ceil(1000).max(1);
        let place = micros.next_power_of_two().trailing_zeros() as usize;
        add(&self.counts.latency[place.min(LATENCY_STEPS - 1)], responses as u64);
    }

    /// Moves to a longer row, once in a while as nodes are added. What was counted goes along, and nothing is lost:
    /// only this writer adds.
    #[cold]
    fn grow(&mut self, number: usize) {
        let counted = self.nodes.iter().map(|count| count.load(Ordering::Relaxed)).chain(std::iter::repeat(0));
        self.nodes = Arc::new(counted.take((number + 1).next_power_of_two()).map(AtomicU64::new).collect());
        self.counts.nodes.store(Arc::clone(&self.nodes));
    }
}
