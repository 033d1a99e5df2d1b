//! The path of an observation, from the timer of a probe target to the next snapshot.
//!
//! ```text
//!  scheduler.rs           one task per probe target: an address, a monitor and a host name
//!       │ once per interval
//!       ▼
//!  monitor/prober.rs      one probe within its timeout; each monitor kind has a file beside it
//!       │ Message::Observed or Message::NotRun (messages.rs)
//!       ▼
//!  publisher.rs           one task, which owns the state of all pools
//!       │ observe
//!       ▼
//!  evenkeel_core::state   PoolStates: counts rise and fall, finds transitions, decides which nodes
//!       │                 are eligible
//!       │ the views of the pools that have changed
//!       ▼
//!  publisher.rs ────────► transition_events.rs: what has changed, for the event log
//!       │ store, at most once per millisecond
//!       ▼
//!  Snapshot               what queries read (evenkeel_core::snapshot)
//! ```
//!
//! `handles.rs` has the other ways to the publisher: [`ConfigHandle`] for configurations, and
//! [`HealthHandle`] for the requests of operators. The publisher takes both from the same queue as
//! observations, so that all changes have one order. If the publisher ends, the handles return
//! [`Stopped`] and the daemon ends the process.

mod handles;
mod messages;
mod publisher;
mod scheduler;
#[cfg(test)]
mod tests;
mod transition_events;

pub use handles::{ConfigHandle, HealthHandle, Stopped};
pub use messages::Plan;
pub use publisher::{Beginning, Publisher};
