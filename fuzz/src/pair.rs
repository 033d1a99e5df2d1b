//! One responder that takes the fast path if it can, beside one that never does.

use evenkeel_core::counters::{CounterTotals, Counters, Protocol};
use evenkeel_core::pool::Pool;
use evenkeel_core::respond::{Responder, Transport};
use evenkeel_core::snapshot::Snapshot;

/// Two responders that must write the same bytes, from the same draw, and count the same.
pub struct Pair {
    fast: Responder,
    slow: Responder,
    counters: [Counters; 2],
}

impl Pair {
    /// Two responders with counters of their own.
    pub fn new(counters: [Counters; 2]) -> Self {
        let [fast, slow] = counters.each_ref().map(|counters| Responder::new(counters.worker(Protocol::Udp)));
        Self { fast, slow, counters }
    }

    /// Counters that number the nodes of some pools in the same order.
    pub fn counters<'p>(pools: impl Iterator<Item = &'p Pool> + Clone) -> [Counters; 2] {
        let counters = [Counters::default(), Counters::default()];
        counters.iter().for_each(|counters| drop(counters.node_numbers(pools.clone())));
        counters
    }

    /// The response to a packet, if it gets one. All draws depend on `seed` alone.
    pub fn respond(
        &mut self,
        packet: &[u8],
        transport: Transport,
        snapshot: &Snapshot,
        seed: u64,
    ) -> Result<Option<Vec<u8>>, String> {
        let (mut fast, mut slow) = (Vec::new(), Vec::new());
        self.fast.reseed(seed);
        let is_fast = self.fast.respond(packet, transport, snapshot, &mut fast);
        self.slow.reseed(seed);
        let is_slow = self.slow.respond_by_slow_path(packet, transport, snapshot, &mut slow);
        if is_fast != is_slow || is_fast && fast != slow {
            return Err(format!("packet {packet:02x?}\nfast {fast:02x?}\nslow {slow:02x?}"));
        }
        Ok(is_fast.then_some(fast))
    }

    /// Compares what both have counted. The slow path alone is counted differently, and so is time.
    pub fn compare_counts(&self) -> Result<(), String> {
        let [fast, slow] = self.counters.each_ref().map(|counters| {
            let CounterTotals { mut responses, records } = counters.totals();
            let responses = responses.remove(&Protocol::Udp).unwrap_or_default();
            (records, responses.rcodes, responses.ignored, responses.truncated)
        });
        if fast == slow { Ok(()) } else { Err(format!("counted\nfast {fast:?}\nslow {slow:?}")) }
    }
}
