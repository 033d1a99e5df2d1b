//! Applies overrides and nominations to the nodes of a pool, before each decision.
//!
//! Until the monitors have seen a change of role, observations of the node may be about its former
//! role:
//!
//! ```text
//!                       its role changes while it is up
//!  observations count ─────────────────────────────────► observations are stale:
//!          ▲                                             its health counts as unknown
//!          └─────────────────────────────────────────────────────┘
//!            `role_settle_time` is over, or it is down
//! ```
//!
//! This holds for backups by configuration, in a pool with standby monitors, that were not promoted
//! before. Other nodes behave the same in both roles.

use super::address_state::AddressState;
use super::pool_state::{NodeState, PoolState};
use crate::health::Health;
use crate::overrides::Overrides;
use crate::pool::{Pool, Role};
use crate::time::Now;

impl NodeState {
    /// Returns true if its monitors have had the time to see its latest change of role.
    pub(super) fn role_has_settled(&self, pool: &Pool, now: Now) -> bool {
        self.role_since.is_none_or(|since| now.instant.saturating_duration_since(since) >= pool.role_settle_time)
    }

    /// Returns true if it is a backup that something else has promoted: it is up, and its standby
    /// health is not.
    ///
    /// `health` gives the health of an address, with or without regard to stale observations.
    fn is_promoted_by(&self, pool: &Pool, now: Now, health: impl Fn(&AddressState) -> Health) -> bool {
        pool.has_standby_monitors
            && self.admin.role == Role::Backup
            && self.role_has_settled(pool, now)
            && self.addresses.iter().any(|address| health(address) == Health::Up)
            && self.addresses.iter().all(|address| address.health().standby != Health::Up)
    }

    /// Returns true if it is a backup that something else has promoted.
    pub(super) fn is_promoted(&self, pool: &Pool, now: Now) -> bool {
        self.is_promoted_by(pool, now, |address| self.believed_health(address))
    }
}

impl PoolState {
    /// Returns true if the role of a node is settling, so that the passage of time changes the next
    /// decision.
    pub fn is_settling(&self, now: Now) -> bool {
        self.nodes.iter().any(|node| !node.role_has_settled(&self.pool, now))
    }

    /// Applies overrides and nominations.
    ///
    /// A node that is active by configuration counts as having served while its role is active. A
    /// nominated node counts as having served once it is up and, in a pool with standby monitors,
    /// its role has settled.
    pub(super) fn apply_overrides(&mut self, overrides: &Overrides, now: Now) {
        for (configured, node) in self.pool.nodes.iter().zip(&mut self.nodes) {
            let is_configured_active = configured.role == Role::Active;
            let mut admin = overrides.admin_state(&self.pool, configured);
            admin.has_served = admin.role == Role::Active && (node.admin.has_served || is_configured_active);
            if self.has_roles && admin.role != node.admin.role {
                // The observations of a promoted backup are about an active node already.
                let refused_work = !is_configured_active && self.pool.has_standby_monitors;
                let was_promoted = node.is_promoted_by(&self.pool, now, |address| address.health().health);
                node.is_stale = refused_work && !was_promoted;
                node.role_since = Some(now.instant);
            }
            let is_up = node.addresses.iter().any(|address| address.health().health == Health::Up);
            let has_settled = node.role_has_settled(&self.pool, now);
            node.is_stale &= is_up && !has_settled;
            // Observations from before the change do not show that the node serves in its new role.
            let is_fresh = has_settled || !self.pool.has_standby_monitors;
            admin.has_served |= admin.role == Role::Active && is_up && is_fresh;
            node.admin = admin;
        }
        self.has_roles = true;
    }
}
