//! The server as a whole: starts it, runs it until a signal, and reloads it. `serve` and `demo`
//! call it.
//!
//! In reading order: `start` opens what lasts as long as the process; `reload` reads the
//! configuration again on SIGHUP; both make a configuration the current one in the same way
//! (`adopt`). `client_checks` has cookies and the rate limit, which outlive a configuration.
//! `interrupt` has the signals that interrupt a reload. A start can fail with a
//! [`StartError`]; a reload that fails changes nothing.

mod adopt;
mod client_checks;
mod interrupt;
mod reload;
mod start;

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_core::counters::Counters;
use evenkeel_core::diagnostic::Diagnostics;
use evenkeel_core::snapshot::CurrentSnapshot;
use nix::fcntl::Flock;
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info, warn};

use crate::admin::{AdminListeners, AdminService};
use crate::config::{Admin, Origin};
use crate::events::Notifiers;
use crate::health::{ConfigHandle, HealthHandle};
use crate::listen::Endpoints;
use crate::signals::Signals;
use crate::state_dir;
use client_checks::ClientChecks;
use interrupt::Interrupt;
pub use start::StartError;

/// Longest wait for work in flight when the server stops.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// A server that answers.
#[derive(Debug)]
pub struct Daemon {
    origin: Origin,
    current: CurrentSnapshot,
    endpoints: Endpoints,
    counters: Arc<Counters>,
    client_checks: ClientChecks,
    notifiers: Notifiers,
    /// Generation of the configuration that is served; 0 before the first one.
    generation: u64,
    config_handle: ConfigHandle,
    /// If this task ends, the server ends.
    publisher_task: JoinHandle<()>,
    health: HealthHandle,
    admin: AdminService,
    /// The parts of the configuration whose changes take effect only after a restart.
    fixed: FixedConfig,
    /// Stores health while the server runs.
    health_store_task: Option<AbortOnDropHandle<()>>,
    /// Ends expired overrides, and nominates backups.
    _periodic_tasks: AbortOnDropHandle<()>,
    _listeners: Option<AdminListeners>,
    /// The lock of `state_dir`.
    _lock: Option<Flock<File>>,
}

/// The parts of the configuration whose changes take effect only after a restart. The settings of
/// running endpoints (`workers`, the TCP limits) are in [`Endpoints`].
#[derive(Clone, Debug, PartialEq)]
struct FixedConfig {
    state_dir: Option<PathBuf>,
    admin: Option<Admin>,
}

impl Daemon {
    /// Serves until SIGTERM or SIGINT; SIGHUP reloads.
    pub async fn run(mut self, mut signals: Signals) -> ExitCode {
        let stopped_by = 'serving: loop {
            tokio::select! {
                _ = signals.hangup.recv() => loop {
                    match self.reload(&mut signals).await {
                        Ok(()) => break,
                        Err(Interrupt::Reload) => info!("reload: interrupted by another SIGHUP"),
                        Err(Interrupt::End(name)) => break 'serving name,
                    }
                },
                name = signals.end.recv() => break name,
                ended = &mut self.publisher_task => {
                    let why = ended.map_or_else(|error| error.to_string(), |()| "its task has ended".to_owned());
                    error!("the health publisher has stopped: {why}");
                    return ExitCode::FAILURE;
                }
            }
        };
        info!("{stopped_by}: stopping");
        // A running change of a role is still stored if it ends in time.
        let settled = async { tokio::join!(self.endpoints.end(), self.admin.settle()) };
        if tokio::time::timeout(STOP_GRACE, settled).await.is_err() {
            warn!("work in flight did not end within {STOP_GRACE:?}");
        }
        self.store_health().await;
        info!("stopped");
        ExitCode::SUCCESS
    }

    /// Stores the health for the next start.
    async fn store_health(&mut self) {
        let Some(directory) = self.fixed.state_dir.clone() else { return };
        self.health_store_task = None;
        let Ok(health) = self.health.remember().await else { return };
        if let Err(error) = state_dir::write_health(health, directory.clone()).await {
            warn!("health cannot be stored in {}: {error}", directory.display());
        }
    }

    /// `UDP+TCP 127.0.0.1:53, TLS 127.0.0.1:853`.
    fn listening(&self) -> String {
        let addresses = self.endpoints.addresses();
        addresses.iter().map(|(what, address)| format!("{what} {address}")).collect::<Vec<_>>().join(", ")
    }
}

/// Logs the warnings of a configuration that loaded without errors.
pub fn log_warnings(warnings: &Diagnostics) {
    for warning in warnings.iter() {
        warn!("{warning}");
    }
}
