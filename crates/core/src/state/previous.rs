//! A pool as it was under the configuration before: what a reload must not lose.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::health::Health;
use crate::pool::{AdminState, Role, SelectionTier, Verdict};

/// A pool as it was under the configuration before, by the names of its nodes.
#[derive(Debug)]
pub struct PreviousPool {
    pub(super) tier: SelectionTier,
    pub(super) nodes: HashMap<Arc<str>, PreviousNode>,
    /// When the last answer under that configuration has expired, in seconds since 1970.
    pub(super) expiry: u64,
}

/// A node as it was under the configuration before.
#[derive(Debug)]
pub(super) struct PreviousNode {
    pub(super) admin: AdminState,
    pub(super) role_since: Option<Instant>,
    pub(super) is_stale: bool,
    pub(super) was_eligible: bool,
    pub(super) idle_from: Option<u64>,
    pub(super) addresses: HashMap<IpAddr, PreviousAddress>,
}

/// An address as it was under the configuration before.
#[derive(Debug)]
pub(super) struct PreviousAddress {
    pub(super) health: Health,
    /// Sequence number of its transition to down because of bad responses, otherwise 0.
    pub(super) down_seq: u64,
    pub(super) verdict: Verdict,
}

impl PreviousNode {
    pub(super) fn address(&self, address: IpAddr) -> Option<&PreviousAddress> {
        self.addresses.get(&address)
    }
}

impl PreviousPool {
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
