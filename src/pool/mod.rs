//! Pools: nodes that can replace each other, and which of them go into an answer.
//!
//! [`decide()`] turns configuration and health into a [`PoolView`]: who may be answered. `select` draws from it for
//! one query: who is answered.

mod decide;
mod select;

use std::net::IpAddr;
use std::sync::Arc;

pub use decide::{Basis, Decision, PoolView, decide};
pub use select::{Candidates, Drawn, FAMILY_V4, FAMILY_V6};

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
}

impl Pool {
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
    /// While no active node is up.
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
