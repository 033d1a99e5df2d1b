//! The part of a decision that queries read: the eligible addresses of both families.
//!
//! [`decide()`](super::decide()) makes the view. The snapshot holds the view, and each response
//! draws addresses from it.

use std::net::IpAddr;

use super::draw::{Candidate, Candidates, FAMILY_V4, FAMILY_V6};
use super::node_decision::NodeDecision;

/// The addresses that queries for the names of a pool draw from.
#[derive(Debug)]
pub enum PoolView {
    /// Eligible addresses. A family without any is answered with NODATA.
    Addresses {
        /// For A.
        v4: Candidates<FAMILY_V4>,
        /// For AAAA.
        v6: Candidates<FAMILY_V6>,
    },
    /// Address queries get SERVFAIL.
    ServFail,
}

/// The candidates of both families while a view is built.
#[derive(Default)]
struct Gathered {
    v4: Vec<Candidate<FAMILY_V4>>,
    v6: Vec<Candidate<FAMILY_V6>>,
}

impl PoolView {
    /// The eligible addresses of the nodes.
    pub(super) fn of_eligible(nodes: &[NodeDecision<'_>], rng: &mut fastrand::Rng) -> Self {
        let mut gathered = Gathered::default();
        for (index, node) in nodes.iter().enumerate() {
            let mut is_first = [true, true];
            for address in node.addresses.iter().filter(|address| address.verdict.is_eligible()) {
                // In hundredths: percentages of weight 1 would otherwise round to the same number.
                let weight = node.config.weight * u32::from(address.health.weight_percent);
                let family = usize::from(address.address.is_ipv6());
                let is_new = std::mem::replace(&mut is_first[family], false);
                gathered.add(index as u32, address.address, weight, is_new);
            }
        }
        gathered.into_view(rng)
    }

    /// The fallback addresses of a pool with `nodes` nodes, each as a candidate of its own.
    ///
    /// Their records are counted under the index after the last node.
    pub(super) fn of_fallback(fallback: &[IpAddr], nodes: usize, rng: &mut fastrand::Rng) -> Self {
        let mut gathered = Gathered::default();
        for &address in fallback {
            gathered.add(nodes as u32, address, 1, true);
        }
        gathered.into_view(rng)
    }
}

impl Gathered {
    /// Adds an address as a new candidate, or to the latest candidate of its family. The node of
    /// several addresses has the lowest of their weights.
    fn add(&mut self, node: u32, address: IpAddr, weight: u32, is_new: bool) {
        fn add<const N: usize>(to: &mut Vec<Candidate<N>>, octets: [u8; N], node: u32, weight: u32, is_new: bool) {
            match to.last_mut() {
                Some(last) if !is_new => {
                    last.weight = last.weight.min(weight);
                    last.addresses.push(octets);
                }
                _ => to.push(Candidate { node, weight, addresses: smallvec::smallvec![octets] }),
            }
        }
        match address {
            IpAddr::V4(address) => add(&mut self.v4, address.octets(), node, weight, is_new),
            IpAddr::V6(address) => add(&mut self.v6, address.octets(), node, weight, is_new),
        }
    }

    fn into_view(self, rng: &mut fastrand::Rng) -> PoolView {
        PoolView::Addresses { v4: Candidates::new(self.v4, rng), v6: Candidates::new(self.v6, rng) }
    }
}
