//! Pools: nodes that can replace each other, and which of them go into an answer.
//!
//! In reading order: [`Pool`] and [`Node`] are the configuration; [`decide()`] turns configuration,
//! health and overrides into a verdict per address and a [`PoolView`]; `select` draws the nodes of
//! one answer from the view.

mod admin_state;
mod case;
mod decide;
mod select;
#[cfg(test)]
mod tests;
mod verdict;
mod view;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use admin_state::{AdminState, ForcedState};
pub use case::{AddressCase, NodeCase};
pub use decide::{Decision, decide};
pub use select::{Candidates, Drawn, FAMILY_V4, FAMILY_V6, Pick};
pub use verdict::{SelectionTier, Verdict};
pub use view::PoolView;

use crate::health::Require;
use crate::node_id::NodeId;

/// Nodes that can replace each other.
#[derive(Clone, Debug)]
pub struct Pool {
    /// As in the configuration.
    pub name: Arc<str>,
    /// At least one of them is active.
    pub nodes: Vec<Node>,
    /// How many monitors must find an address up.
    pub require: Require,
    /// The pool has `standby_monitors`: its backups refuse work until they are nominated.
    pub has_standby_monitors: bool,
    /// How long the monitors need to see that a node has changed its role.
    pub role_settle_time: Duration,
    /// Nominate a backup without an operator.
    pub auto_nominate: Option<AutoNominate>,
    /// What is answered if no node is up.
    pub when_empty: WhenEmpty,
    /// Answered instead of nodes if `when_empty` says so, or if operators hold out every active node.
    pub fallback: Vec<IpAddr>,
    /// Active nodes that should be up. Backups join the answers while fewer are.
    pub min_available: NodeCount,
    /// Active nodes that bad responses may eject together while another active node is up.
    pub max_ejected: NodeCount,
    /// The longest TTL of the names that use the pool, in seconds: resolvers keep an answer this long.
    pub longest_ttl: u32,
}

/// When the server nominates a backup by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AutoNominate {
    /// At most one nomination per this time.
    pub every: Duration,
    /// Not before the pool has been observed for this time under its configuration.
    pub observe_for: Duration,
}

/// A number of active nodes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NodeCount {
    /// This many; not more than there are.
    Count(usize),
    /// This part of them, rounded up; 0 to 100.
    Percent(u8),
}

impl NodeCount {
    /// The number, if the pool has `active` active nodes.
    pub fn of(self, active: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (active * usize::from(percent)).div_ceil(100),
        }
    }
}

impl Pool {
    /// A pool without monitors, with the defaults of the configuration.
    pub fn with_defaults(name: &str, nodes: Vec<Node>) -> Self {
        Self {
            name: name.into(),
            nodes,
            require: Require::All,
            has_standby_monitors: false,
            role_settle_time: Duration::ZERO,
            auto_nominate: None,
            when_empty: WhenEmpty::All,
            fallback: Vec::new(),
            min_available: NodeCount::Count(1),
            max_ejected: NodeCount::Percent(50),
            longest_ttl: 5,
        }
    }

    /// The identity of one of its nodes.
    pub fn id_of(&self, node: &str) -> NodeId {
        NodeId::new(&self.name, node)
    }

    /// Returns true if the node is a backup that takes no work before its nomination, and it may not
    /// have taken any since.
    pub fn refuses_work(&self, admin: AdminState) -> bool {
        self.has_standby_monitors && !admin.has_served
    }

    /// Number of addresses of all nodes.
    pub fn address_count(&self) -> usize {
        self.nodes.iter().map(|node| node.addresses.len()).sum()
    }
}

/// A member of a pool.
#[derive(Clone, Debug)]
pub struct Node {
    /// As in the configuration; written `pool/node` elsewhere.
    pub name: Arc<str>,
    /// At least one.
    pub addresses: Vec<IpAddr>,
    /// Share of the answers, relative to the other nodes; at least 1.
    pub weight: u32,
    /// The role in the configuration.
    pub role: Role,
}

impl Node {
    /// What counts for the node as long as no operator says otherwise.
    pub fn configured_state(&self) -> AdminState {
        AdminState { forced: None, role: self.role, has_served: self.role == Role::Active }
    }
}

/// When a node may be answered.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// If it is up.
    Active,
    /// If it is up, and fewer active nodes are up than `min_available`.
    Backup,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Active => "active",
            Self::Backup => "backup",
        })
    }
}

/// What a pool answers if no node is up and none is unknown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WhenEmpty {
    /// All active nodes (fail open).
    All,
    /// SERVFAIL.
    ServFail,
    /// No addresses.
    NoData,
    /// The addresses of `fallback`, at least one.
    Fallback,
}
