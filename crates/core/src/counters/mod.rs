//! Counters of responses: each worker counts for itself, and the totals of all workers are computed
//! on request.
//!
//! In reading order: `worker` is what one worker counts, without locks. `responses` are the totals
//! of one protocol. `counters` hands counters to workers, gives numbers to nodes, and adds
//! everything up.
//!
//! The responder counts, the API reads. Counters are never reset, and counting cannot fail.

#[allow(clippy::module_inception, reason = "the file is named for its type")]
mod counters;
mod responses;
mod worker;

pub use counters::{CounterTotals, Counters, NodeNumbers};
pub use responses::{LatencyBound, LatencyStep, Protocol, Responses};
pub use worker::WorkerCounters;
