//! The status of the server: the JSON object of the API that `evenkeel status` shows.
//!
//! [`PoolStates::status`](crate::state::PoolStates::status) fills in the pools, the admin service
//! of the server adds the rest.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::counters::{Protocol, Responses};
use crate::health::Health;
use crate::node_id::NodeId;
use crate::overrides::{Nomination, Override};
use crate::pool::{ForcedState, Role};

/// The status of the server.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Status {
    /// Number of the loaded configuration.
    pub generation: u64,
    /// Overrides survive the process, because there is a `state_dir`.
    pub overrides_are_kept: bool,
    /// In the order of the configuration.
    pub pools: Vec<PoolStatus>,
    /// Nodes with an override or a nomination that are missing from the configuration.
    pub absent: Vec<AbsentNode>,
    /// Responses since the start, per protocol that has had an endpoint.
    pub responses: BTreeMap<Protocol, Responses>,
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
    /// Address records of its fallback in responses since the start; `None` without counters.
    pub fallback_records: Option<u64>,
}

/// One node.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NodeStatus {
    /// As in the configuration.
    pub name: String,
    /// Active or backup: by a nomination, or else as configured.
    pub role: Role,
    /// As in the configuration.
    pub weight: u32,
    /// One of its addresses has a verdict of up: by its monitors or an operator, and not as a
    /// backup.
    pub up: bool,
    /// It is a backup that something else has promoted: it is up, and its standby health is not.
    pub promoted: bool,
    /// One of its addresses is eligible.
    pub eligible: bool,
    /// Why it is eligible or not.
    pub why: String,
    /// Address records of it in responses since the start; `None` without counters.
    pub records: Option<u64>,
    /// Its override.
    pub r#override: Option<OverrideStatus>,
    /// Its nomination: the reason for another role than the configured one.
    pub nomination: Option<Nomination>,
    /// Unix time at which the last answer that held it expires, in seconds. `None` while it is
    /// eligible, or if it never was.
    pub idle_from: Option<u64>,
    /// Its addresses.
    pub addresses: Vec<AddressStatus>,
}

/// One address of a node.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AddressStatus {
    /// IPv4 or IPv6.
    pub address: IpAddr,
    /// By the monitors of the pool.
    pub health: Health,
    /// By the standby monitors of the pool, for backups.
    pub standby: Option<Health>,
    /// Part of its weight that it can carry, in percent.
    pub weight_percent: u8,
    /// It may be returned in a response.
    pub eligible: bool,
    /// Why it is eligible or not.
    pub why: String,
}

impl AddressStatus {
    /// Returns true if its health or its standby health is up.
    pub fn is_up_or_standby_up(&self) -> bool {
        self.health == Health::Up || self.standby == Some(Health::Up)
    }
}

/// An override of a node.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OverrideStatus {
    /// The forced state, which has priority over health.
    pub state: ForcedState,
    /// The actor that set it.
    pub by: Actor,
    /// The reason; may be empty.
    pub why: String,
    /// Unix time at which it was set, in seconds.
    pub at: u64,
    /// Unix time at which it ends without a command, in seconds.
    pub until: Option<u64>,
}

impl From<&Override> for OverrideStatus {
    fn from(Override { state, by, why, at, until }: &Override) -> Self {
        Self { state: *state, by: by.clone(), why: why.clone(), at: *at, until: *until }
    }
}

impl OverrideStatus {
    /// A description for users: `drained by ops until 2026-11-20T14:00:00Z (patching)`.
    pub fn description(&self) -> String {
        let Self { state, by, why, at, until } = self.clone();
        Override { state, by, why, at, until }.description()
    }
}

/// A node with an override or a nomination that is missing from the configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AbsentNode {
    /// Its identity.
    pub node: NodeId,
    /// Its override.
    pub r#override: Option<OverrideStatus>,
    /// Its nomination.
    pub nomination: Option<Nomination>,
}
