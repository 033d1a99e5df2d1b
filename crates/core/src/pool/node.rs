//! A node of a pool, as the configuration describes it.

use std::net::IpAddr;
use std::sync::Arc;

use super::{AdminState, Role};

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
    /// The state of the node while it has no override and no nomination.
    pub fn configured_state(&self) -> AdminState {
        AdminState { forced: None, role: self.role, has_served: self.role == Role::Active }
    }
}
