//! The path of an observation, from the timer of a probe target to the next snapshot.
//!
//! ```text
//!  scheduler.rs           one task per probe target: an address, a monitor and a host name
//!       │ once per interval
//!       ▼
//!  monitor/mod.rs         one probe within its timeout; each monitor kind has a file beside it
//!       │ Message::Observed or Message::NotRun (messages.rs)
//!       ▼
//!  publisher.rs           one task, which owns the state of all pools
//!       ├─ observe, at once ─► evenkeel_core::state::PoolStates counts, and names the pools that
//!       │                      have changed
//!       ├─ decide, within 1 ms, for these pools ─► PoolStates decides which nodes are eligible
//!       │  (within 1 s if only weights have changed)
//!       ▼
//!  publisher.rs ────────► pool_events.rs: what has changed, for the event log
//!       │ store: observations are gathered for 1 ms, overrides and configurations are
//!       │ stored at once
//!       ▼
//!  Snapshot               what queries read (evenkeel_core::snapshot)
//! ```
//!
//! There are two other ways to the publisher: [`ConfigHandle`] brings configurations, and
//! [`HealthHandle`] the requests of the admin service. The publisher takes both from the same queue
//! as observations, so that all changes have one order. If the publisher ends, the handles return
//! [`Stopped`] and the daemon ends the process.

mod config_handle;
mod health_handle;
mod messages;
mod pool_events;
mod publisher;
mod scheduler;
#[cfg(test)]
mod tests;

pub use config_handle::ConfigHandle;
pub use health_handle::{HealthHandle, Stopped};
pub use messages::{HealthStatus, PublishedConfig};
pub use publisher::{Publisher, PublisherSettings};
