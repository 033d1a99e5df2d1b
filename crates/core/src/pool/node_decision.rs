//! The input of [`decide()`](super::decide()) for the nodes and addresses of a pool, and its
//! verdicts on them.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::{AdminState, Node, Pool, Verdict};
use crate::health::AddressHealth;

/// The input of a decision for one node, and the verdicts on it.
#[derive(Clone, Debug)]
pub struct NodeDecision<'p> {
    /// The configuration of the node.
    pub config: &'p Node,
    /// Its forced state and role.
    pub admin: AdminState,
    /// Its addresses, in the order of the configuration.
    pub addresses: SmallVec<[AddressDecision; 1]>,
}

/// The input of a decision for one address, and the verdict on it.
#[derive(Clone, Copy, Debug)]
pub struct AddressDecision {
    /// The address.
    pub address: IpAddr,
    /// Its health as far as the decision may rely on it.
    pub health: AddressHealth,
    /// The verdict. [`decide()`](super::decide()) sets it.
    pub verdict: Verdict,
}

impl NodeDecision<'_> {
    /// Returns true if one of its addresses is eligible.
    pub(super) fn is_eligible(&self) -> bool {
        self.addresses.iter().any(|address| address.verdict.is_eligible())
    }

    /// Returns true if one of its addresses is up.
    pub(super) fn is_up(&self) -> bool {
        self.addresses.iter().any(|address| address.verdict.is_up())
    }

    /// Its addresses with this verdict.
    pub(super) fn with_verdict(&mut self, verdict: Verdict) -> impl Iterator<Item = &mut AddressDecision> {
        self.addresses.iter_mut().filter(move |address| address.verdict == verdict)
    }
}

impl Pool {
    /// The input of a decision for all nodes, without overrides. `health` gives the health of each
    /// address.
    pub fn undecided(&self, mut health: impl FnMut(&Node, IpAddr) -> AddressHealth) -> Vec<NodeDecision<'_>> {
        let mut undecided = |node: &Node, address| AddressDecision {
            address,
            health: health(node, address),
            verdict: Verdict::Unknown,
        };
        let node = |node| {
            let node: &Node = node;
            let addresses = node.addresses.iter().map(|&address| undecided(node, address)).collect();
            NodeDecision { config: node, admin: node.configured_state(), addresses }
        };
        self.nodes.iter().map(node).collect()
    }
}
