//! Nodes and addresses while their pool decides: the input of [`decide()`](super::decide()), and
//! the place of its verdicts.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::{AdminState, Node, Pool, Verdict};
use crate::health::AddressHealth;

/// A node while its pool decides.
#[derive(Clone, Debug)]
pub struct NodeCase<'p> {
    /// The configuration of the node.
    pub node: &'p Node,
    /// Its forced state and role.
    pub admin: AdminState,
    /// Its addresses, in the order of the configuration.
    pub addresses: SmallVec<[AddressCase; 1]>,
}

/// An address of a node while its pool decides.
#[derive(Clone, Copy, Debug)]
pub struct AddressCase {
    /// The address.
    pub address: IpAddr,
    /// Its health as far as the decision may rely on it.
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

    /// Its addresses with this verdict.
    pub(super) fn with_verdict(&mut self, verdict: Verdict) -> impl Iterator<Item = &mut AddressCase> {
        self.addresses.iter_mut().filter(move |address| address.verdict == verdict)
    }
}

impl Pool {
    /// The cases of all nodes without overrides. `health` gives the health of each address.
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
