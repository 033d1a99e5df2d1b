//! Health: what the results of probes say about an address.
//!
//! `probe_result` is the result of one probe. `tracker` counts the results of one target and
//! changes its health. The trackers of all targets are in [`crate::state`], which combines them to
//! the [`AddressHealth`] of each address.

mod probe_result;
mod tracker;

use serde::{Deserialize, Serialize};

pub use probe_result::{ProbeFailure, ProbeNotRun, ProbeResult, ProbeSuccess};
pub use tracker::{Tracker, Transition};

/// The health of a target or an address.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Its monitors find it up.
    Up,
    /// Its monitors find it down.
    Down,
    /// It has not been probed yet.
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

/// How many monitors of an address must find it up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Require {
    /// Every one.
    All,
    /// At least this many; not more than there are.
    AtLeast(usize),
}

/// The results of all monitors of one address, combined.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AddressHealth {
    /// The health by the monitors of the pool.
    pub health: Health,
    /// Part of its weight that the address can carry, 1 to 100.
    pub weight_percent: u8,
    /// If the address is down because of bad responses: sequence number of its transition to down.
    ///
    /// `None` if it is not down, or if it does not respond at all.
    pub bad_response_seq: Option<u64>,
    /// The health by the standby monitors of the pool. Without standby monitors, it is `health`.
    pub standby: Health,
}

impl From<Health> for AddressHealth {
    /// An address with its full weight, without bad responses, and with unknown standby health.
    fn from(health: Health) -> Self {
        Self { health, weight_percent: 100, bad_response_seq: None, standby: Health::Unknown }
    }
}
