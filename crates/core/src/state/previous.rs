//! A pool under the previous configuration: the state that a reload must not lose.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::health::Health;
use crate::pool::{AdminState, Role, SelectionTier, Verdict};

/// A pool under the previous configuration.
#[derive(Debug)]
pub struct PreviousPool {
    pub(super) tier: SelectionTier,
    /// By name.
    pub(super) nodes: HashMap<Arc<str>, PreviousNode>,
    /// Unix time at which the last answer under that configuration expires, in seconds.
    pub(super) expiry: u64,
}

/// A node under the previous configuration.
#[derive(Debug)]
pub(super) struct PreviousNode {
    pub(super) admin: AdminState,
    pub(super) role_since: Option<Instant>,
    pub(super) is_stale: bool,
    pub(super) was_eligible: bool,
    pub(super) idle_from: Option<u64>,
    pub(super) addresses: HashMap<IpAddr, PreviousAddress>,
}

/// An address under the previous configuration.
#[derive(Debug)]
pub(super) struct PreviousAddress {
    pub(super) health: Health,
    /// Sequence number of its latest transition to down.
    pub(super) down_since_seq: u64,
    pub(super) verdict: Verdict,
}

impl PreviousNode {
    /// One of its addresses.
    pub(super) fn address(&self, address: IpAddr) -> Option<&PreviousAddress> {
        self.addresses.get(&address)
    }
}

impl PreviousPool {
    /// One of its nodes.
    pub(super) fn node(&self, name: &str) -> Option<&PreviousNode> {
        self.nodes.get(name)
    }

    /// The role that a node had.
    pub fn role(&self, node: &str) -> Option<Role> {
        self.node(node).map(|node| node.admin.role)
    }

    /// The health that an address of a node had.
    pub fn health(&self, node: &str, address: IpAddr) -> Option<Health> {
        Some(self.node(node)?.address(address)?.health)
    }
}
