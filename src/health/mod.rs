//! The path of an observation.
//!
//! In reading order: a `monitor` says what is checked and how often; the `scheduler` runs a [`probe`] of it
//! against every address and sends what it observed to the `publisher`. There a `tracker` counts until an
//! address flips, the `table` says which pools that concerns, and one new snapshot is stored for all queries; `served`
//! is what is known of each pool in it. `report` is what is told of it. `control` holds the ways in for configurations and
//! operators.

mod control;
#[cfg(test)]
mod histories;
mod http_check;
pub mod memory;
mod monitor;
mod nominees;
pub mod probe;
mod publisher;
mod report;
mod scheduler;
mod served;
mod standings;
mod table;
#[cfg(test)]
mod tests;
mod tracker;

use serde::{Deserialize, Serialize};

pub use control::{Control, Nominees, Plan, PublisherHandle, Stopped};
pub use http_check::{BodyCondition, BusyCheck, HttpCheck, JsonCondition, JsonTest};
pub use memory::Memory;
pub use monitor::{AgentCheck, IcapCheck, Kind, Monitor, Pattern, TcpCheck};
pub use publisher::Publisher;
pub use table::{Require, Standing};
pub use tracker::{Tracker, Transition};

/// What observations say of an address.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It answered as it should.
    Up,
    /// It did not.
    Down,
    /// Nobody has looked yet.
    Unknown,
}

impl std::fmt::Display for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Unknown => "unknown",
        })
    }
}
