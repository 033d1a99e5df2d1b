//! Pools: nodes that can replace each other, and which of them go into an answer.
//!
//! [`decide()`] turns configuration and health into a [`PoolView`]: who may be answered. `select` draws from it for
//! one query: who is answered.

mod decide;
mod select;

use std::net::IpAddr;
use std::sync::Arc;

pub use decide::{Basis, Decision, PoolView, Verdict, active_up, decide};
pub use select::{Candidates, Drawn, FAMILY_V4, FAMILY_V6};

use serde::{Deserialize, Serialize};

use crate::health::{Monitor, Require};

/// Nodes that can replace each other.
#[derive(Clone, Debug)]
pub struct Pool {
    /// As in the configuration.
    pub name: Arc<str>,
    /// At least one of them is active.
    pub nodes: Vec<Node>,
    /// What finds addresses up; without any, every address counts as up.
    pub monitors: Vec<Arc<Monitor>>,
    /// How many of them must.
    pub require: Require,
    /// Host that probes name, when the pool has one.
    pub host: Option<Arc<str>>,
    /// What is answered when no node is up.
    pub when_empty: WhenEmpty,
    /// Active nodes that should be up; backups stand in for those that are missing.
    pub min_available: Available,
    /// The longest TTL of the names that use it, in seconds: so long an answer is kept.
    pub longest_ttl: u32,
}

/// A number of active nodes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Available {
    /// So many; not more than there are.
    Count(usize),
    /// So many in a hundred, rounded up; 1 to 100.
    Percent(u8),
}

/// What an operator says of a node.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// It shall get no new sessions.
    Drain,
    /// It is up, whatever its monitors find.
    Up,
    /// It is down, whatever its monitors find.
    Down,
}

impl Pool {
    /// How many active nodes should be up.
    pub fn least_active(&self) -> usize {
        let active = self.nodes.iter().filter(|node| node.role == Role::Active).count();
        match self.min_available {
            Available::Count(count) => count,
            Available::Percent(percent) => (active * usize::from(percent)).div_ceil(100),
        }
    }

    /// Every address of every node, with the node's index; health is kept in this order.
    pub fn slots(&self) -> impl Iterator<Item = (usize, IpAddr)> {
        self.nodes.iter().enumerate().flat_map(|(i, node)| node.addresses.iter().map(move |&address| (i, address)))
    }
}

/// One of a pool.
#[derive(Clone, Debug)]
pub struct Node {
    /// As in the configuration; written `pool/node` elsewhere.
    pub name: Arc<str>,
    /// At least one.
    pub addresses: Vec<IpAddr>,
    /// Share of the answers, relative to the other nodes; at least 1.
    pub weight: u32,
    /// When it may be answered.
    pub role: Role,
}

/// When a node may be answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Whenever it is up.
    Active,
    /// While fewer active nodes are up than should be.
    Backup,
}

/// What a pool answers when no node is up and none is unknown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum WhenEmpty {
    /// All active nodes (fail open).
    All,
    /// SERVFAIL.
    ServFail,
    /// No addresses.
    NoData,
    /// These addresses.
    Fallback(Vec<IpAddr>),
}
