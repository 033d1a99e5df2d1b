//! The pure part of evenkeel: it does no I/O, starts no task and reads no clock.

pub mod actor;
pub mod counters;
pub mod diagnostic;
pub mod health;
pub mod message;
pub mod name;
pub mod node_id;
pub mod overrides;
pub mod pool;
pub mod respond;
pub mod snapshot;
pub mod state;
pub mod status;
pub mod time;
pub mod zone;
