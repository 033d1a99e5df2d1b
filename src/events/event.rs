//! One event: what happened. The log, the API and notifications show the same event.
//!
//! The publisher and the admin service make events, and the event log numbers and distributes them.
//! Nothing here can fail.

use std::fmt;
use std::net::IpAddr;

use evenkeel_core::actor::Actor;
use evenkeel_core::health::Health;
use evenkeel_core::node_id::NodeId;
use evenkeel_core::pool::{ForcedState, Role};
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Event {
    /// Sequence number, from 1 at the start of the process.
    pub number: u64,
    /// The time in UTC: `2026-11-20T14:00:00.123Z`.
    pub at: String,
    /// What changed.
    pub kind: EventKind,
    /// The new state.
    pub state: EventState,
    /// An operator should look at it.
    pub warning: bool,
    /// The pool that it concerns.
    pub pool: String,
    /// The node, if it concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Its address, if it concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The operator or the auto-nomination that caused it, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// The event in words, as in the log.
    pub text: String,
}

/// What changed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The health of an address: `up`, `down` or `unknown`.
    Health,
    /// The standby health of a backup's address: `up`, `down` or `unknown`; or a backup is
    /// `not_serving`.
    Standby,
    /// An address with bad responses stays eligible because of `max_ejected` (`capped`), or it is
    /// `ejected` after all.
    Ejection,
    /// The selection tier of a pool: `active`, `backup`, `unknown`, `fail_open`, `servfail`,
    /// `nodata`, `fallback`.
    Tier,
    /// The override of a node: `drained`, `forced_up`, `forced_down` or `resumed`.
    Override,
    /// The role of a node: `active` or `backup`; or a nomination has `failed` or `ended`.
    Nomination,
    /// A pool is `loaded`.
    Pool,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Health, Self::Standby, Self::Ejection, Self::Tier, Self::Override, Self::Nomination, Self::Pool];

    /// The name in the configuration, the API and the environment of programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Standby => "standby",
            Self::Ejection => "ejection",
            Self::Tier => "tier",
            Self::Override => "override",
            Self::Nomination => "nomination",
            Self::Pool => "pool",
        }
    }
}

/// The new state that an event reports. [`EventKind`] lists the states of each kind.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "`EventKind` describes them")]
pub enum EventState {
    Up,
    Down,
    Unknown,
    NotServing,
    Capped,
    Ejected,
    Active,
    Backup,
    FailOpen,
    #[serde(rename = "servfail")]
    ServFail,
    #[serde(rename = "nodata")]
    NoData,
    Fallback,
    Drained,
    ForcedUp,
    ForcedDown,
    Resumed,
    Failed,
    Ended,
    Loaded,
}

impl EventState {
    /// The name in the API and the environment of programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Unknown => "unknown",
            Self::NotServing => "not_serving",
            Self::Capped => "capped",
            Self::Ejected => "ejected",
            Self::Active => "active",
            Self::Backup => "backup",
            Self::FailOpen => "fail_open",
            Self::ServFail => "servfail",
            Self::NoData => "nodata",
            Self::Fallback => "fallback",
            Self::Drained => "drained",
            Self::ForcedUp => "forced_up",
            Self::ForcedDown => "forced_down",
            Self::Resumed => "resumed",
            Self::Failed => "failed",
            Self::Ended => "ended",
            Self::Loaded => "loaded",
        }
    }
}

impl fmt::Display for EventState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl From<Health> for EventState {
    fn from(health: Health) -> Self {
        match health {
            Health::Up => Self::Up,
            Health::Down => Self::Down,
            Health::Unknown => Self::Unknown,
        }
    }
}

impl From<Role> for EventState {
    fn from(role: Role) -> Self {
        match role {
            Role::Active => Self::Active,
            Role::Backup => Self::Backup,
        }
    }
}

impl From<ForcedState> for EventState {
    fn from(state: ForcedState) -> Self {
        match state {
            ForcedState::Drain => Self::Drained,
            ForcedState::Up => Self::ForcedUp,
            ForcedState::Down => Self::ForcedDown,
        }
    }
}

impl Event {
    /// An event about a pool. The event log adds number and time.
    pub fn of_pool(kind: EventKind, state: EventState, pool: &str, text: String) -> Self {
        let (node, address, by) = (None, None, None);
        let (number, at, warning, pool) = (0, String::new(), false, pool.to_owned());
        Self { number, at, kind, state, warning, pool, node, address, by, text }
    }

    /// An event about a node; `text` follows its identity and "is".
    pub fn of_node(kind: EventKind, state: EventState, node: &NodeId, text: &str) -> Self {
        Self::of_pool(kind, state, node.pool(), format!("{node} is {text}")).with_node(node.node())
    }

    /// Names the node.
    #[must_use]
    pub fn with_node(self, node: &str) -> Self {
        Self { node: Some(node.to_owned()), ..self }
    }

    /// Names the address of the node.
    #[must_use]
    pub fn with_address(self, address: IpAddr) -> Self {
        Self { address: Some(address), ..self }
    }

    /// Names the operator or the auto-nomination that caused it.
    #[must_use]
    pub fn caused_by(self, by: &Actor) -> Self {
        Self { by: Some(by.clone()), ..self }
    }

    /// Makes it a warning.
    #[must_use]
    pub fn as_warning(self) -> Self {
        Self { warning: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_api() {
        let states = [
            EventState::NotServing,
            EventState::Capped,
            EventState::FailOpen,
            EventState::ServFail,
            EventState::NoData,
            EventState::ForcedUp,
        ];
        for state in states {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
        for kind in EventKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
