//! The server as a whole: load, probe, listen, and change all of it on a reload.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::config::{self, Loaded, Origin};
use crate::diagnostic::Diagnostics;
use crate::dns::Endpoints;
use crate::health::probe::Prober;
use crate::health::{Plan, Publisher, PublisherHandle};
use crate::serving::{Current, Serving, Static};
use crate::zone::Zones;

/// Longest wait for what is in flight when the server stops.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// A server that answers.
#[derive(Debug)]
pub struct Daemon {
    origin: Origin,
    current: Current,
    publisher: PublisherHandle,
    publishing: JoinHandle<()>,
    endpoints: Endpoints,
    generation: u64,
}

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

impl Daemon {
    /// Binds, probes every node once (for at most `startup_grace`), and begins to answer.
    ///
    /// # Errors
    /// Addresses cannot be bound, or the system refuses what a server needs.
    pub async fn start(origin: Origin, loaded: Loaded) -> Result<Self, StartError> {
        raise_open_files();
        let mut endpoints = Endpoints::default();
        let prepared = endpoints.prepare(&loaded.server).map_err(StartError::Addresses)?;
        let current = Current::new(ArcSwap::from_pointee(Serving {
            generation: 0,
            fixed: Arc::new(Static { zones: Zones::new(Vec::new()), nsid: None }),
            pools: Vec::new(),
        }));
        let prober = Prober::new().context("the HTTP client of the probes cannot be made")?;
        let (task, mut publisher) = Publisher::new(Arc::clone(&current), prober, loaded.server.probes_in_flight);
        let publishing = tokio::spawn(task.run());
        let summary = summary(&loaded);
        let Loaded { server, zones, pools, .. } = loaded;
        let fixed = Arc::new(Static { zones, nsid: server.nsid.clone() });
        let plan = Plan { generation: 1, fixed, pools };
        publisher
            .adopt(plan, server.probes_in_flight, server.startup_grace)
            .await
            .context("the first snapshot was not published")?;
        endpoints.commit(prepared, &server, &current).await;
        let daemon = Self { origin, current, publisher, publishing, endpoints, generation: 1 };
        info!("ready: {}; generation 1: {summary}", daemon.listening());
        Ok(daemon)
    }

    /// `UDP+TCP 127.0.0.1:53, TLS 127.0.0.1:853`.
    fn listening(&self) -> String {
        let addresses = self.endpoints.addresses();
        addresses.iter().map(|(what, address)| format!("{what} {address}")).collect::<Vec<_>>().join(", ")
    }

    /// Takes the configuration anew. Whatever is wrong with it, nothing changes then, and the log says what.
    async fn reload(&mut self) {
        let origin = self.origin.clone();
        let loaded = match tokio::task::spawn_blocking(move || config::load(&origin)).await {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(problems)) => return refuse(&problems),
            Err(panic) => {
                return error!("reload: the loader failed, generation {} is kept: {panic}", self.generation);
            }
        };
        let prepared = match self.endpoints.prepare(&loaded.server) {
            Ok(prepared) => prepared,
            Err(problems) => return refuse(&problems),
        };
        log_warnings(&loaded.warnings);
        let summary = summary(&loaded);
        let Loaded { server, zones, pools, .. } = loaded;
        let fixed = Arc::new(Static { zones, nsid: server.nsid.clone() });
        let generation = self.generation + 1;
        let plan = Plan { generation, fixed, pools };
        if let Err(stopped) = self.publisher.adopt(plan, server.probes_in_flight, server.startup_grace).await {
            return error!("reload: {stopped}");
        }
        self.generation = generation;
        self.endpoints.commit(prepared, &server, &self.current).await;
        info!("reloaded: {}; generation {generation}: {summary}", self.listening());
    }

    /// Serves until SIGTERM or SIGINT; SIGHUP reloads.
    pub async fn run(mut self) -> ExitCode {
        let signals = [SignalKind::hangup(), SignalKind::terminate(), SignalKind::interrupt()].map(signal);
        let [Ok(mut hangup), Ok(mut terminate), Ok(mut interrupt)] = signals else {
            error!("signals cannot be waited for");
            return ExitCode::FAILURE;
        };
        loop {
            let name = tokio::select! {
                _ = hangup.recv() => {
                    self.reload().await;
                    continue;
                }
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
                ended = &mut self.publishing => {
                    let why = ended.map_or_else(|error| error.to_string(), |()| "it has ended".to_owned());
                    error!("the publisher of health died: {why}");
                    return ExitCode::FAILURE;
                }
            };
            info!("{name}: stopping");
            if tokio::time::timeout(STOP_GRACE, self.endpoints.end()).await.is_err() {
                warn!("not everything ended within {STOP_GRACE:?}");
            }
            info!("stopped");
            return ExitCode::SUCCESS;
        }
    }
}

fn refuse(problems: &Diagnostics) {
    error!("reload refused, everything stays as it was:\n{problems}");
}

/// Logs what is odd with a configuration that is used all the same.
pub fn log_warnings(warnings: &Diagnostics) {
    for warning in warnings.iter() {
        warn!("{warning}");
    }
}

/// What a configuration holds, counted.
pub fn summary(loaded: &Loaded) -> String {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let nodes = loaded.pools.iter().map(|pool| pool.nodes.len()).sum();
    let zones = loaded.zones.apexes().count();
    [(zones, "zone"), (loaded.names, "name"), (loaded.pools.len(), "pool"), (nodes, "node")]
        .map(|(n, what)| count(n, what))
        .join(", ")
}

/// Every probe and every TCP connection takes a file descriptor, and the usual soft limit is low for compatibility
/// with `select` only.
fn raise_open_files() {
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        warn!("the limit of open files stays as it is: {error}");
    }
}
