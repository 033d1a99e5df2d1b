//! The state of the server as the API serves it and `evenkeel status` shows it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::counters::{Protocol, Responses};
use crate::health::Health;
use crate::node_id::NodeId;
use crate::overrides::{Nomination, Override};
use crate::pool::{ForcedState, Role};

/// Everything.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Status {
    /// Number of the configuration that is served.
    pub generation: u64,
    /// Overrides survive the process.
    pub overrides_are_kept: bool,
    /// In the order of the configuration.
    pub pools: Vec<PoolStatus>,
    /// Overrides of nodes that the configuration does not have.
    pub absent: Vec<AbsentNode>,
    /// Responses since the start, per protocol that was ever listened on.
    pub answers: BTreeMap<Protocol, Responses>,
}

/// One pool.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PoolStatus {
    /// As in the configuration.
    pub name: String,
    /// Active nodes that should be up.
    pub min_available: usize,
    /// Active nodes that are up.
    pub available: usize,
    /// In the order of the configuration.
    pub nodes: Vec<NodeStatus>,
    /// Records with an address of its fallback in responses since the start, if they were counted.
    pub fallback_records: Option<u64>,
}

/// One node.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NodeStatus {
    /// As in the configuration.
    pub name: String,
    /// The role that counts.
    pub role: Role,
    /// As in the configuration.
    pub weight: u32,
    /// An address of it is up, by its monitors or an operator, and it is no backup.
    pub up: bool,
    /// It is a backup that something else has promoted: it serves, and its standby health is not up.
    pub promoted: bool,
    /// It may be answered.
    pub eligible: bool,
    /// Why, or why not.
    pub why: String,
    /// Records with an address of it in responses since the start, if they were counted.
    pub records: Option<u64>,
    /// What an operator says.
    pub r#override: Option<OverrideStatus>,
    /// Why its role is another one than the configuration's.
    pub nomination: Option<Nomination>,
    /// If it is not eligible any more: when the last answer that held it has expired, in seconds since 1970.
    pub idle_from: Option<u64>,
    /// Its addresses.
    pub addresses: Vec<AddressStatus>,
}

/// One address of a node.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AddressStatus {
    /// IPv4 or IPv6.
    pub address: IpAddr,
    /// What observations say.
    pub health: Health,
    /// What standby monitors say, for backups.
    pub standby: Option<Health>,
    /// Part of its weight that it can carry, in percent.
    pub weight_percent: u8,
    /// It may be answered.
    pub eligible: bool,
    /// Why, or why not.
    pub why: String,
}

impl AddressStatus {
    /// Returns true if it serves, or is alive as a backup.
    pub fn is_alive(&self) -> bool {
        self.health == Health::Up || self.standby == Some(Health::Up)
    }
}

/// An override of a node.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OverrideStatus {
    /// What counts instead of health.
    pub state: ForcedState,
    /// Who set it.
    pub by: Actor,
    /// Why; may be empty.
    pub why: String,
    /// When it was set, in seconds since 1970.
    pub at: u64,
    /// When it ends by itself, in seconds since 1970.
    pub until: Option<u64>,
}

impl From<&Override> for OverrideStatus {
    fn from(Override { state, by, why, at, until }: &Override) -> Self {
        Self { state: *state, by: by.clone(), why: why.clone(), at: *at, until: *until }
    }
}

impl OverrideStatus {
    /// In words: `drained by ops until 2026-11-20T14:00:00Z (patching)`.
    pub fn description(&self) -> String {
        let Self { state, by, why, at, until } = self.clone();
        Override { state, by, why, at, until }.description()
    }
}

/// A node that has overrides and is missing from the configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AbsentNode {
    /// Its identity.
    pub node: NodeId,
    /// What an operator says.
    pub r#override: Option<OverrideStatus>,
    /// Its role.
    pub nomination: Option<Nomination>,
}
