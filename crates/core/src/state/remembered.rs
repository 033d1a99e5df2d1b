//! What is remembered across a restart: the starting point until each address has been probed, so that a
//! restarted server does not answer worse than before.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::health::Health;
use crate::node_id::NodeId;

/// Health of addresses, and the nominated nodes that have served. The serialized form is that of state files.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct RememberedHealth {
    /// When it was written, in seconds since 1970.
    pub at: u64,
    /// By `pool/node address`: whether the address was up.
    up: BTreeMap<String, bool>,
    /// Nominated nodes that have served since.
    #[serde(default)]
    served: BTreeSet<NodeId>,
}

impl RememberedHealth {
    /// Returns true if both remember the same, whenever they were written.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.up, &self.served) == (&other.up, &other.served)
    }

    /// Adds what is known of an address.
    pub(super) fn remember(&mut self, node: &NodeId, address: IpAddr, health: Health) {
        if health != Health::Unknown {
            self.up.insert(key(node, address), health == Health::Up);
        }
    }

    /// Adds a nominated node that has served.
    pub(super) fn remember_served(&mut self, node: NodeId) {
        self.served.insert(node);
    }

    /// Returns true if the nominated node has served.
    pub(super) fn has_served(&self, node: &NodeId) -> bool {
        self.served.contains(node)
    }

    /// The health of an address.
    pub(super) fn health(&self, node: &NodeId, address: IpAddr) -> Health {
        match self.up.get(&key(node, address)) {
            Some(true) => Health::Up,
            Some(false) => Health::Down,
            None => Health::Unknown,
        }
    }
}

fn key(node: &NodeId, address: IpAddr) -> String {
    format!("{node} {address}")
}
