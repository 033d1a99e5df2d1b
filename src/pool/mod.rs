//! Pools: nodes that can replace each other, and which of them go into an answer.
//!
//! [`decide()`] turns configuration and health into a [`PoolView`]: who may be answered. `select` draws from it for
//! one query: who is answered.

mod decide;
mod select;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use decide::{Basis, Decision, PoolView, Verdict, active_up, decide};
pub use select::{Candidates, Drawn, FAMILY_V4, FAMILY_V6, Pick};

use serde::{Deserialize, Serialize};

use crate::action::Action;
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
    /// What finds a spare alive that refuses work until it is nominated; all of them must.
    pub standby_monitors: Vec<Arc<Monitor>>,
    /// What is done to a node first when it is nominated.
    pub nominate: Option<Action>,
    /// What is done to it first when it is unregistered.
    pub unregister: Option<Action>,
    /// Nominate a spare without an operator, at most once in this time.
    pub auto_nominate: Option<Duration>,
    /// Host that probes name, when the pool has one.
    pub host: Option<Arc<str>>,
    /// What is answered when no node is up.
    pub when_empty: WhenEmpty,
    /// What is answered instead of nodes, when `when_empty` says so or operators hold out every active node.
    pub fallback: Vec<IpAddr>,
    /// Active nodes that should be up; backups stand in for those that are missing.
    pub min_available: Amount,
    /// Active nodes that answers which are not good may take out together, while others are up.
    pub max_ejected: Amount,
    /// The longest TTL of the names that use it, in seconds: so long an answer is kept.
    pub longest_ttl: u32,
}

/// A number of active nodes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Amount {
    /// So many; not more than there are.
    Count(usize),
    /// So many in a hundred, rounded up; 0 to 100.
    Percent(u8),
}

impl Amount {
    /// How many of so many nodes that is.
    fn of(self, nodes: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (nodes * usize::from(percent)).div_ceil(100),
        }
    }
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

/// What operators say of a node, or the configuration when they say nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Said {
    /// What counts instead of its health.
    pub word: Option<Word>,
    /// Its role.
    pub role: Role,
    /// Whether it has served since it has this role; one that is nominated may have to begin first.
    pub has_served: bool,
}

impl Pool {
    /// A pool without monitors, with the defaults of the configuration.
    #[cfg(test)]
    pub(crate) fn of(name: &str, nodes: Vec<Node>) -> Self {
        Self {
            name: name.into(),
            nodes,
            monitors: Vec::new(),
            require: Require::All,
            standby_monitors: Vec::new(),
            nominate: None,
            unregister: None,
            auto_nominate: None,
            host: None,
            when_empty: WhenEmpty::All,
            fallback: Vec::new(),
            min_available: Amount::Count(1),
            max_ejected: Amount::Percent(50),
            longest_ttl: 5,
        }
    }

    /// What counts of each node when nobody says anything.
    pub fn as_configured(&self) -> Vec<Said> {
        self.nodes
            .iter()
            .map(|node| Said { word: None, role: node.role, has_served: node.role == Role::Active })
            .collect()
    }

    /// How many active nodes should be up.
    pub fn least_active(&self, said: &[Said]) -> usize {
        self.min_available.of(active(said))
    }

    /// How many active nodes may be out together because of bad answers.
    pub fn most_ejected(&self, said: &[Said]) -> usize {
        self.max_ejected.of(active(said))
    }

    /// Whether a node is a spare that takes no work before it is nominated, and it may not have begun since.
    pub(crate) fn refuses_work(&self, said: Said) -> bool {
        !self.standby_monitors.is_empty() && !said.has_served
    }

    /// The host that a request to one of its addresses names.
    pub fn host_at(&self, address: IpAddr) -> Arc<str> {
        // As URLs write an address.
        let literal = || match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        self.host.clone().unwrap_or_else(|| literal().into())
    }

    /// Every address of every node, with the node's index; health is kept in this order.
    pub fn slots(&self) -> impl Iterator<Item = (usize, IpAddr)> {
        self.nodes.iter().enumerate().flat_map(|(i, node)| node.addresses.iter().map(move |&address| (i, address)))
    }
}

fn active(said: &[Said]) -> usize {
    said.iter().filter(|said| said.role == Role::Active).count()
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
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Whenever it is up.
    Active,
    /// While fewer active nodes are up than should be.
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

/// What a pool answers when no node is up and none is unknown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WhenEmpty {
    /// All active nodes (fail open).
    All,
    /// SERVFAIL.
    ServFail,
    /// No addresses.
    NoData,
    /// The addresses of `fallback`, of which there is one at least.
    Fallback,
}
