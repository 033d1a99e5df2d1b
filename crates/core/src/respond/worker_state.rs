//! The state that a worker changes while it responds: random numbers and counters. Both paths use
//! it.

use crate::counters::WorkerCounters;
use crate::snapshot::Snapshot;

/// The state of one worker.
#[derive(Debug)]
pub(super) struct WorkerState {
    /// Draws nodes.
    pub(super) rng: fastrand::Rng,
    /// Counts responses.
    pub(super) counters: WorkerCounters,
}

impl WorkerState {
    /// Counts the address records of a response for the nodes of a pool, by index. The index after
    /// the last node counts for the fallback of the pool.
    pub(super) fn count_records(&mut self, snapshot: &Snapshot, pool: usize, nodes: impl Iterator<Item = u32>) {
        let numbers = snapshot.config.node_numbers.of(pool);
        for number in nodes.filter_map(|node| numbers.get(node as usize)) {
            self.counters.count_record(*number);
        }
    }
}
