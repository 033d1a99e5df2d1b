//! The health that is remembered across a restart. It counts until each address has been probed, so
//! that answers are as good as before.
//!
//! The state directory of the server stores it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::health::Health;
use crate::node_id::NodeId;

/// The health of addresses, and the nominated nodes that have served.
///
/// The serialized form is that of state files.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct RememberedHealth {
    /// Unix time at which it was written, in seconds.
    pub at: u64,
    /// Per node, per address. A file without it, from an earlier version, remembers no health.
    #[serde(default)]
    health: BTreeMap<NodeId, BTreeMap<IpAddr, Health>>,
    /// Nominated nodes that have served since their nomination.
    #[serde(default)]
    served: BTreeSet<NodeId>,
}

impl RememberedHealth {
    /// Returns true if both are the same except for the time.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.health, &self.served) == (&other.health, &other.served)
    }

    /// Adds the health of an address, unless it is unknown.
    pub(super) fn remember(&mut self, node: &NodeId, address: IpAddr, health: Health) {
        if health != Health::Unknown {
            self.health.entry(node.clone()).or_default().insert(address, health);
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

    /// The health of an address, unknown if it is not remembered.
    pub(super) fn health(&self, node: &NodeId, address: IpAddr) -> Health {
        self.health.get(node).and_then(|addresses| addresses.get(&address)).copied().unwrap_or(Health::Unknown)
    }
}
