//! What the publisher knows of a pool besides the table: the verdicts that are served, and since when nodes that left the
//! answers are idle, across reloads and restarts.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::Health;
use super::table::Standing;
use crate::overrides::{self, Overrides, full_name};
use crate::pool::{Basis, Pool, Verdict};

/// Seconds beyond its TTL for which an answer may still be on its way or in use.
const EXPIRY_MARGIN: u64 = 1;

/// A pool and what the task knows of it besides the table.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) pool: Pool,
    /// Node and address of each slot.
    pub(super) slots: Vec<(usize, IpAddr)>,
    /// The rule by which it is answered.
    pub(super) basis: Basis,
    /// Why each address is answered or not.
    pub(super) verdicts: Vec<Verdict>,
    /// For each node that is not eligible any more, when the last answer that held it has expired.
    pub(super) idle_from: Vec<Option<u64>>,
    /// When the last answer under configurations before this one has expired: their TTLs may have been longer.
    pub(super) outlived: u64,
}

/// What was known of a pool before a reload, to report only what has changed.
pub(super) struct Before {
    pub(super) basis: Basis,
    /// By name of the node and address.
    pub(super) addresses: HashMap<(Arc<str>, IpAddr), Health>,
    /// By name of the node.
    idle_from: HashMap<Arc<str>, Option<u64>>,
    /// When the last answer under it has expired.
    pub(super) expiry: u64,
    eligible: HashSet<Arc<str>>,
}

impl Served {
    /// For each node, whether one of its addresses may be answered.
    fn eligible(&self) -> Vec<bool> {
        let mut eligible = vec![false; self.pool.nodes.len()];
        for (&(node, _), verdict) in self.slots.iter().zip(&self.verdicts) {
            eligible[node] |= verdict.is_eligible();
        }
        eligible
    }

    /// Takes new verdicts, and notes when a node leaves the answers.
    pub(super) fn judge(&mut self, verdicts: Vec<Verdict>) {
        let before = self.eligible();
        self.verdicts = verdicts;
        let now = self.eligible();
        for (node, (was, is)) in before.into_iter().zip(now).enumerate() {
            if is {
                self.idle_from[node] = None;
            } else if was {
                self.idle_from[node] = Some(self.expiry());
            }
        }
    }

    /// When an answer that is given now has expired.
    fn expiry(&self) -> u64 {
        self.expiry_of_answers_at(overrides::now())
    }

    fn expiry_of_answers_at(&self, moment: u64) -> u64 {
        let expiry = moment.saturating_add(u64::from(self.pool.longest_ttl)).saturating_add(EXPIRY_MARGIN);
        expiry.max(self.outlived)
    }

    /// Remembers across a reload, and across a restart as far as operators were the reason, since when nodes are not
    /// answered.
    pub(super) fn take_over(&mut self, before: Option<&Before>, overrides: &Overrides) {
        for (node, _) in self.eligible().into_iter().enumerate().filter(|(_, eligible)| !eligible) {
            let name = &self.pool.nodes[node].name;
            self.idle_from[node] = match before.and_then(|before| Some((before, before.idle_from.get(name)?))) {
                Some((before, _)) if before.eligible.contains(name) => Some(self.expiry()),
                Some((_, earlier)) => *earlier,
                None => {
                    let said = overrides.get(&full_name(&self.pool.name, name));
                    said.map(|said| self.expiry_of_answers_at(said.at))
                }
            };
        }
    }

    pub(super) fn remembered(self, standings: &[Standing]) -> (Arc<str>, Before) {
        let named = |(&(node, address), standing): (&(usize, IpAddr), &Standing)| {
            ((Arc::clone(&self.pool.nodes[node].name), address), standing.health)
        };
        let addresses = self.slots.iter().zip(standings).map(named).collect();
        let names = || self.pool.nodes.iter().map(|node| Arc::clone(&node.name));
        let idle_from = names().zip(self.idle_from.iter().copied()).collect();
        let eligible = names().zip(self.eligible()).filter_map(|(name, is)| is.then_some(name)).collect();
        let expiry = self.expiry();
        (Arc::clone(&self.pool.name), Before { basis: self.basis, addresses, idle_from, expiry, eligible })
    }
}
