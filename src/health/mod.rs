//! The path of an observation, as far as it takes tasks and timers.
//!
//! In reading order: the `scheduler` runs the probes of every [`Monitor`](crate::monitor::Monitor) and sends
//! what they observe to the `publisher`, which owns the state of all pools
//! ([`PoolStates`](evenkeel_core::state::PoolStates)) and stores the snapshots that queries read.
//! `transition_events` tells what has changed. `handles` are the ways in for configurations and operators,
//! in `messages`.

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
