//! The start: opens what lasts as long as the process, and adopts the first configuration.
//!
//! `serve` and `demo` call [`Daemon::start`]. If it fails with a [`StartError`], the process ends.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use arc_swap::ArcSwap;
use evenkeel_core::counters::Counters;
use evenkeel_core::diagnostic::Diagnostics;
use evenkeel_core::overrides::Expired;
use evenkeel_core::snapshot::{CurrentSnapshot, Snapshot};
use evenkeel_core::state::RememberedHealth;
use nix::fcntl::Flock;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info};

use super::client_checks::ClientChecks;
use super::{Daemon, FixedConfig};
use crate::abort_on_panic;
use crate::admin::{self, AdminService};
use crate::clock::unix_now;
use crate::config::{LoadedConfig, Origin};
use crate::events::{EventLog, Notifiers};
use crate::health::{HealthHandle, Publisher, PublisherSettings};
use crate::listen::Endpoints;
use crate::monitor::Prober;
use crate::open_files;
use crate::state_dir::{self, OpenedStore, OverrideStore};

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Addresses that cannot be bound.
    #[error("{0}")]
    Addresses(Diagnostics),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl FixedConfig {
    /// The fixed parts of a configuration.
    pub(super) fn of(loaded: &LoadedConfig) -> Self {
        Self { state_dir: loaded.server.state_dir.clone(), admin: loaded.admin.clone() }
    }
}

impl Daemon {
    /// Binds all addresses, probes every node once (for at most `startup_grace`), and begins to
    /// answer.
    ///
    /// # Errors
    /// Addresses cannot be bound, `state_dir` cannot be used, or the admin listeners cannot be
    /// opened.
    pub async fn start(origin: Origin, mut loaded: LoadedConfig) -> Result<Self, StartError> {
        let descriptors = open_files::fit(&mut loaded);
        let counters = Arc::new(Counters::default());
        let endpoints = Endpoints::new(Arc::clone(&counters));
        let prepared = endpoints.prepare(&loaded.server, descriptors).map_err(StartError::Addresses)?;
        let fixed = FixedConfig::of(&loaded);
        let State { store, remembered, client_checks, lock } = State::open(fixed.state_dir.as_deref())?;
        let current = CurrentSnapshot::new(ArcSwap::from_pointee(Snapshot::empty()));
        let events = Arc::new(EventLog::default());
        let prober = Prober::default();
        let settings = PublisherSettings {
            prober: prober.clone(),
            in_flight: loaded.server.probes_in_flight,
            overrides: store.overrides().clone(),
            remembered,
        };
        let (task, config_handle, health) = Publisher::new(Arc::clone(&current), settings, Arc::clone(&events));
        let publisher_task = tokio::spawn(task.run());
        let notifiers = Notifiers::start(Arc::clone(&events), loaded.notifications.clone());
        let admin = AdminService::new(store, health.clone(), events, prober, Arc::clone(&counters));
        let periodic_tasks = admin.clone();
        let periodic_tasks = async move { periodic_tasks.run_periodic_tasks().await };
        let periodic_tasks = AbortOnDropHandle::new(tokio::spawn(abort_on_panic::task(periodic_tasks)));
        let listeners = match &fixed.admin {
            Some(config) => Some(admin::open(config, admin.clone()).await?),
            None => None,
        };
        let mut daemon = Self {
            origin,
            current,
            endpoints,
            counters,
            client_checks,
            notifiers,
            generation: 0,
            config_handle,
            publisher_task,
            health,
            admin,
            fixed,
            health_store_task: None,
            _periodic_tasks: periodic_tasks,
            _listeners: listeners,
            _lock: lock,
        };
        let summary = loaded.summary();
        let grace = loaded.server.startup_grace;
        info!("starting: {summary}; answering once every node is probed, in {grace:?} at the latest");
        let adopted = daemon.adopt(prepared, loaded, std::future::pending::<()>()).await;
        adopted.context("the first configuration is not served")?;
        daemon.health_store_task = daemon.fixed.state_dir.clone().map(|directory| {
            let health = daemon.health.clone();
            let current = move || remember(health.clone());
            AbortOnDropHandle::new(tokio::spawn(state_dir::store_health(current, directory)))
        });
        info!("ready: {}; generation 1: {summary}", daemon.listening());
        Ok(daemon)
    }
}

/// The health to store, or `None` if the publisher has ended.
async fn remember(health: HealthHandle) -> Option<RememberedHealth> {
    health.remember().await.ok()
}

/// The state from before the start.
struct State {
    store: OverrideStore,
    remembered: RememberedHealth,
    client_checks: ClientChecks,
    lock: Option<Flock<File>>,
}

impl State {
    /// Locks and reads a state directory. Without one, nothing survives.
    fn open(directory: Option<&Path>) -> anyhow::Result<Self> {
        let unusable = || {
            let directory = directory.unwrap_or_else(|| Path::new(""));
            format!("state_dir {} cannot be used", directory.display())
        };
        let lock = directory.map(state_dir::lock).transpose().with_context(unusable)?;
        let OpenedStore { mut store, set_aside } = OverrideStore::open(directory).with_context(unusable)?;
        // Overrides that expired while the server was stopped must not take effect again.
        if store.overrides().clone().expire(unix_now()) != Expired::default() {
            store.change(|overrides| drop(overrides.expire(unix_now()))).with_context(unusable)?;
        }
        if let Some(what) = set_aside {
            error!("overrides are lost, nodes that were drained are eligible again: {what}");
        }
        for (node, description) in store.overrides().descriptions() {
            info!("{node} is {description}");
        }
        let remembered = match directory {
            Some(directory) => state_dir::read_health(directory).with_context(unusable)?,
            None => RememberedHealth::default(),
        };
        let client_checks = ClientChecks::open(directory).with_context(unusable)?;
        Ok(Self { store, remembered, client_checks, lock })
    }
}
