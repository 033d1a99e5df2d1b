//! Nodes and addresses as their pool decides on them.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::{AdminState, Node, Pool, Verdict};
use crate::health::AddressHealth;

/// A node while its pool decides.
#[derive(Clone, Debug)]
pub struct NodeCase<'p> {
    /// Its configuration.
    pub node: &'p Node,
    /// What counts for it.
    pub admin: AdminState,
    /// Its addresses, in the order of the configuration.
    pub addresses: SmallVec<[AddressCase; 1]>,
}

/// An address of a node while its pool decides.
#[derive(Clone, Copy, Debug)]
pub struct AddressCase {
    /// The address.
    pub address: IpAddr,
    /// What observations say.
    pub health: AddressHealth,
    /// The outcome. [`decide()`](super::decide()) sets it.
    pub verdict: Verdict,
}

impl NodeCase<'_> {
    /// Returns true if one of its addresses is eligible.
    pub(super) fn is_eligible(&self) -> bool {
        self.addresses.iter().any(|address| address.verdict.is_eligible())
    }

    /// Returns true if one of its addresses is up.
    pub(super) fn is_up(&self) -> bool {
        self.addresses.iter().any(|address| address.verdict.is_up())
    }

    /// The addresses with this verdict.
    pub(super) fn with_verdict(&mut self, verdict: Verdict) -> impl Iterator<Item = &mut AddressCase> {
        self.addresses.iter_mut().filter(move |address| address.verdict == verdict)
    }
}

impl Pool {
    /// The cases of all nodes without any override, with the health that a function gives to each address.
    pub fn cases(&self, mut health: impl FnMut(&Node, IpAddr) -> AddressHealth) -> Vec<NodeCase<'_>> {
        let mut case =
            |node: &Node, address| AddressCase { address, health: health(node, address), verdict: Verdict::Unknown };
        let node = |node| {
            let node: &Node = node;
            let addresses = node.addresses.iter().map(|&address| case(node, address)).collect();
            NodeCase { node, admin: node.configured_state(), addresses }
        };
        self.nodes.iter().map(node).collect()
    }
}
