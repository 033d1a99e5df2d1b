//! Overrides that operators set and remove (drain, force, resume), and overrides that expire.

use evenkeel_core::actor::Actor;
use evenkeel_core::node_id::NodeId;
use evenkeel_core::overrides::{Expired, Override};
use evenkeel_core::pool::Role;
use tracing::error;

use super::error::AdminError;
use super::service::{AdminService, TICK, check_min_available, find_node, run_to_end};
use crate::clock::unix_now;
use crate::events::{Event, EventKind, EventState};
use crate::log_throttle::LogThrottle;

impl AdminService {
    /// Sets the override of a node. Without `force`, an override that takes out a needed node is
    /// refused.
    ///
    /// # Errors
    /// It was not set; nothing has changed.
    pub async fn set_override(&self, id: NodeId, forced: Override, force: bool) -> Result<(), AdminError> {
        let service = self.clone();
        run_to_end(async move {
            // The store is locked from here on. So if two drains together leave too few nodes, the
            // second one sees the first and is refused.
            let store = service.locked_store().await;
            let pools = service.pools().await?;
            let Some((pool, node)) = find_node(&pools, &id) else { return Err(AdminError::NoSuchNode(id)) };
            let takes_out = forced.state.is_drain_or_down() && node.role == Role::Active && node.eligible;
            // Only a node that is up counts as available.
            let left = pool.available.saturating_sub(usize::from(node.up));
            if takes_out && !force {
                service.pool_locks.check(&pool.name)?;
                check_min_available(pool, left)?;
            }
            let event = Event::of_node(EventKind::Override, forced.state.into(), &id, &forced.description());
            let events = vec![event.caused_by(&forced.by)];
            service.change(store, events, move |overrides| overrides.set(id, forced)).await
        })
        .await
    }

    /// Removes the override of a node, even if the configuration does not have the node. Its role
    /// stays.
    ///
    /// # Errors
    /// It was not removed; nothing has changed.
    pub async fn remove_override(&self, id: NodeId, by: Actor) -> Result<(), AdminError> {
        let service = self.clone();
        run_to_end(async move {
            let store = service.locked_store().await;
            if store.overrides().get(&id).is_none() {
                let pools = service.pools().await?;
                let is_there = find_node(&pools, &id).is_some();
                return Err(if is_there { AdminError::NoOverride(id) } else { AdminError::NoSuchNode(id) });
            }
            let text = format!("resumed by {by}");
            let event = Event::of_node(EventKind::Override, EventState::Resumed, &id, &text).caused_by(&by);
            service.change(store, vec![event], move |overrides| overrides.remove(&id)).await
        })
        .await
    }

    /// Ends overrides and nominations that have expired, as long as the server runs.
    pub(super) async fn end_overrides(&self) {
        let mut log = LogThrottle::default();
        loop {
            tokio::time::sleep(TICK).await;
            match self.end_expired().await {
                Ok(()) => {}
                Err(AdminError::Ending(_)) => return,
                Err(refused) if log.is_due() => {
                    error!("expired overrides cannot be ended, and stay in effect: {refused}")
                }
                Err(_) => {}
            }
        }
    }

    /// Ends what has expired by now, if anything has.
    async fn end_expired(&self) -> Result<(), AdminError> {
        let store = self.locked_store().await;
        let moment = unix_now();
        let expired = store.overrides().clone().expire(moment);
        if expired == Expired::default() {
            return Ok(());
        }
        let resumed = |id| {
            let text = "resumed: the override has expired";
            Event::of_node(EventKind::Override, EventState::Resumed, id, text)
        };
        let ended = |id| {
            let text = "in its configured role again: the nomination has expired";
            Event::of_node(EventKind::Nomination, EventState::Ended, id, text)
        };
        let events = expired.overrides.iter().map(resumed).chain(expired.nominations.iter().map(ended)).collect();
        self.change(store, events, move |overrides| drop(overrides.expire(moment))).await
    }
}
