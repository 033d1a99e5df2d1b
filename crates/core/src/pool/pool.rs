//! A pool, as the configuration describes it.
//!
//! The configuration reader of the server makes it. The types exclude most wrong values; comments
//! name the bounds that the reader must check.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{AdminState, Node};
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
    /// When to nominate a backup without an operator; `None` is never.
    pub auto_nominate: Option<AutoNominate>,
    /// The answer if no node is up and none is unknown.
    pub when_empty: WhenEmpty,
    /// Returned by `when_empty`, or if all active nodes are drained or forced down.
    pub fallback: Vec<IpAddr>,
    /// Active nodes that should be up. Backups join the answers while fewer are.
    pub min_available: NodeCount,
    /// Active nodes that bad responses may eject together while another active node is up.
    pub max_ejected: NodeCount,
    /// The longest TTL of the names that use the pool, in seconds: the lifetime of its answers.
    pub longest_ttl: u32,
}

/// When the server nominates a backup without an operator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AutoNominate {
    /// At most one nomination per this time.
    pub every: Duration,
    /// Not before the pool has been observed for this time under its configuration.
    pub observe_for: Duration,
}

/// The answer of a pool if no node is up and none is unknown.
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

/// A number of active nodes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NodeCount {
    /// This many; not more than there are.
    Count(usize),
    /// This percentage of them, 0 to 100; the number is rounded up.
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

    /// Returns true if a node in this state may refuse work.
    ///
    /// A pool with standby monitors expects that of its backups until they are nominated, and of a
    /// nominated backup until it has served.
    pub fn refuses_work(&self, admin: AdminState) -> bool {
        self.has_standby_monitors && !admin.has_served
    }

    /// Number of addresses of all nodes.
    pub fn address_count(&self) -> usize {
        self.nodes.iter().map(|node| node.addresses.len()).sum()
    }
}
