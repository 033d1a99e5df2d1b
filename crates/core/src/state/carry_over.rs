//! The state that a pool passes on: to the next configuration, and to the next start of the
//! process.

use std::sync::Arc;

use super::pool_state::PoolState;
use super::previous::{PreviousAddress, PreviousNode, PreviousPool};
use super::remembered::RememberedHealth;
use crate::overrides::Overrides;
use crate::pool::{Node, Role};
use crate::time::Now;

impl PoolState {
    /// Adds the health and the roles that must survive a restart.
    pub(super) fn remember(&self, remembered: &mut RememberedHealth) {
        for (node, state) in self.nodes() {
            let id = self.pool.id_of(&node.name);
            for address in &state.addresses {
                remembered.remember(&id, address.address(), address.health().health);
            }
            if state.admin.has_served && node.role == Role::Backup {
                remembered.remember_served(id);
            }
        }
    }

    /// The state that the pool passes on to the next configuration.
    pub(super) fn into_previous(self, now: Now) -> PreviousPool {
        let expiry = self.expiry_of_answers_at(now.unix);
        let previous = self.nodes().map(|(node, state)| {
            let addresses = state.addresses.iter().map(|address| {
                let down_since_seq = address.down_since_seq();
                let (health, verdict) = (address.health().health, address.verdict);
                (address.address(), PreviousAddress { health, down_since_seq, verdict })
            });
            let previous = PreviousNode {
                admin: state.admin,
                role_since: state.role_since,
                is_stale: state.is_stale,
                was_eligible: state.is_eligible(),
                idle_from: state.idle_from,
                addresses: addresses.collect(),
            };
            (Arc::clone(&node.name), previous)
        });
        PreviousPool { tier: self.tier, nodes: previous.collect(), expiry }
    }

    /// Sets the idle times of nodes that are not eligible: from the previous configuration or,
    /// after a restart, from the time of an override or a nomination.
    pub(super) fn take_over_idle_times(&mut self, previous: Option<&PreviousPool>, overrides: &Overrides, now: Now) {
        let expiry = self.expiry_of_answers_at(now.unix);
        let idle_from = |(node, configured): (usize, &Node)| {
            if self.nodes[node].is_eligible() {
                return self.nodes[node].idle_from;
            }
            match previous.and_then(|previous| previous.node(&configured.name)) {
                Some(known) if known.was_eligible => Some(expiry),
                Some(known) => known.idle_from,
                None => {
                    let id = self.pool.id_of(&configured.name);
                    let forced = overrides.get(&id).map(|forced| forced.at);
                    let nominated = overrides.nomination(&id).map(|nomination| nomination.at);
                    forced.max(nominated).map(|at| self.expiry_of_answers_at(at))
                }
            }
        };
        let idle_from: Vec<_> = self.pool.nodes.iter().enumerate().map(idle_from).collect();
        for (node, idle_from) in self.nodes.iter_mut().zip(idle_from) {
            node.idle_from = idle_from;
        }
    }
}
