//! Counters of responses: `worker` is where one worker counts, `totals` adds all workers up.

mod totals;
mod worker;

pub use totals::{CounterTotals, Counters, LatencyStep, NodeNumbers, Protocol, Responses};
pub use worker::WorkerCounters;
