//! The admin service: answers requests of operators and carries out their changes.
//!
//! The daemon creates it at the start. The API calls it per request. Its own task ends expired
//! overrides and nominates backups. A request that is not carried out returns [`AdminError`].

use std::sync::Arc;
use std::time::Duration;

use evenkeel_core::counters::{CounterTotals, Counters};
use evenkeel_core::node_id::NodeId;
use evenkeel_core::overrides::Overrides;
use evenkeel_core::status::{NodeStatus, PoolStatus, Status};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::error::AdminError;
use super::pool_locks::PoolLocks;
use crate::events::{Event, EventLog, Page};
use crate::health::{HealthHandle, HealthStatus, Stopped};
use crate::monitor::Prober;
use crate::state_dir::OverrideStore;

/// How often the service ends expired overrides, and looks for backups to nominate.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// Carries requests out. Clones share everything and are cheap.
#[derive(Clone, Debug)]
pub struct AdminService {
    pub(super) store: Arc<Mutex<OverrideStore>>,
    pub(super) health: HealthHandle,
    pub(super) events: Arc<EventLog>,
    /// Sends the requests of role actions.
    pub(super) prober: Prober,
    counters: Arc<Counters>,
    /// Overrides survive the process.
    overrides_are_kept: bool,
    pub(super) pool_locks: PoolLocks,
}

impl AdminService {
    /// A service on a store whose overrides the publisher has already.
    pub(crate) fn new(
        store: OverrideStore,
        health: HealthHandle,
        events: Arc<EventLog>,
        prober: Prober,
        counters: Arc<Counters>,
    ) -> Self {
        let overrides_are_kept = store.is_persistent();
        let store = Arc::new(Mutex::new(store));
        Self { store, health, events, prober, counters, overrides_are_kept, pool_locks: PoolLocks::default() }
    }

    /// The state of the server.
    ///
    /// # Errors
    /// The server is starting or ending.
    pub async fn status(&self) -> Result<Status, AdminError> {
        let HealthStatus { generation, mut pools, absent } = self.health_status().await?;
        let CounterTotals { responses, records } = self.counters.totals();
        let count = |name: &str| Some(records.get(name).copied().unwrap_or(0));
        for pool in &mut pools {
            pool.fallback_records = count(&pool.name);
            for node in &mut pool.nodes {
                node.records = count(NodeId::new(&pool.name, &node.name).as_str());
            }
        }
        Ok(Status { generation, overrides_are_kept: self.overrides_are_kept, pools, absent, responses })
    }

    /// At most `limit` events after a number, or the latest ones. If there is none, waits for one.
    pub async fn events(&self, after: Option<u64>, run: Option<u64>, limit: usize, wait: Duration) -> Page {
        let Some(after) = after else { return self.events.last(limit) };
        let (after, mut watch) = (self.events.number_of_this_run(run, after), self.events.watch());
        // After a timeout, the page is empty.
        let _ = tokio::time::timeout(wait, watch.wait_for(|last| *last > after)).await;
        self.events.after(after, limit)
    }

    /// Ends expired overrides and nominates backups, as long as the server runs.
    pub async fn run_periodic_tasks(&self) {
        tokio::join!(self.end_overrides(), self.auto_nominate());
    }

    /// Waits until no change of roles runs.
    pub async fn settle(&self) {
        self.pool_locks.all_released().await;
    }

    /// Locks the store, for a change that may outlive the caller.
    pub(super) async fn locked_store(&self) -> OwnedMutexGuard<OverrideStore> {
        Arc::clone(&self.store).lock_owned().await
    }

    /// The pools of the configuration that is served.
    pub(super) async fn pools(&self) -> Result<Vec<PoolStatus>, AdminError> {
        Ok(self.health_status().await?.pools)
    }

    /// The status without counters. It does not wait for the store: a slow disk must not hide the
    /// state of the nodes.
    async fn health_status(&self) -> Result<HealthStatus, AdminError> {
        let status = self.health.status().await?;
        // Before the first configuration is served, no node is known: every node would look
        // missing.
        if status.generation == 0 { Err(AdminError::Starting) } else { Ok(status) }
    }

    /// Changes overrides: in the store, in the event log, then for queries.
    pub(super) async fn change(
        &self,
        mut store: OwnedMutexGuard<OverrideStore>,
        events: Vec<Event>,
        change: impl FnOnce(&mut Overrides) + Send + 'static,
    ) -> Result<(), AdminError> {
        // Writing may block, so it runs on the blocking thread pool. The store stays locked, which
        // keeps changes in order.
        let written = tokio::task::spawn_blocking(move || {
            let outcome = store.change(change);
            (store, outcome)
        });
        let (store, outcome) = written.await.map_err(|_| Stopped)?;
        outcome.map_err(AdminError::NotStored)?;
        self.events.record(events);
        Ok(self.health.set_overrides(store.overrides().clone()).await?)
    }
}

/// Runs a change to its end, even if the client hangs up: queries must see what is stored.
pub(super) async fn run_to_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, AdminError>> + Send + 'static,
) -> Result<T, AdminError> {
    tokio::spawn(change).await.unwrap_or(Err(AdminError::Ending(Stopped)))
}

/// Refuses a change that leaves a pool with `left` active nodes that are up, if it needs more.
pub(super) fn check_min_available(pool: &PoolStatus, left: usize) -> Result<(), AdminError> {
    let &PoolStatus { ref name, min_available, .. } = pool;
    if left < min_available {
        return Err(AdminError::TooFewNodes { pool: name.clone(), left, min_available });
    }
    Ok(())
}

/// Finds a node and its pool.
pub(super) fn find_node<'s>(pools: &'s [PoolStatus], node: &NodeId) -> Option<(&'s PoolStatus, &'s NodeStatus)> {
    let pool = pools.iter().find(|found| found.name == node.pool())?;
    Some((pool, pool.nodes.iter().find(|found| found.name == node.node())?))
}
