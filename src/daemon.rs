//! The server as a whole: load, probe, listen, and change all of it on a reload.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use nix::fcntl::Flock;
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info, warn};

use crate::admin::{self, Doors, Operator};
use crate::config::{self, Admin, Loaded, Origin};
use crate::diagnostic::Diagnostics;
use crate::dns::{Endpoints, Numbers, Tallies};
use crate::events::{Journal, Notifiers};
use crate::health::probe::Prober;
use crate::health::{Control, Memory, Plan, Publisher, PublisherHandle, memory};
use crate::open_files;
use crate::overrides::{Book, Ended, Opened, now};
use crate::serving::{Current, Serving, Static};
use crate::signals::Signals;
use crate::state;
use crate::vital;
use crate::zone::Zones;

/// Longest wait for what is in flight when the server stops.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// A signal that came while something was under way.
#[derive(Clone, Copy, Debug)]
enum Interrupt {
    /// SIGHUP: there is a newer configuration.
    Reload,
    /// SIGTERM or SIGINT, by name.
    End(&'static str),
}

impl Interrupt {
    async fn next(signals: &mut Signals) -> Self {
        tokio::select! {
            _ = signals.hangup.recv() => Self::Reload,
            name = signals.end.recv() => Self::End(name),
        }
    }
}

/// A server that answers.
#[derive(Debug)]
pub struct Daemon {
    origin: Origin,
    current: Current,
    publisher: PublisherHandle,
    publishing: JoinHandle<()>,
    endpoints: Endpoints,
    /// What was answered.
    tallies: Arc<Tallies>,
    generation: u64,
    /// Of the configuration that was started with.
    state: (Option<PathBuf>, Option<Admin>),
    control: Control,
    keeping: Option<AbortOnDropHandle<()>>,
    /// The operator's own work: overrides that end, spares that step in.
    _looking_after: AbortOnDropHandle<()>,
    operator: Operator,
    notifiers: Notifiers,
    _doors: Option<Doors>,
    /// Of `state_dir`.
    _lock: Option<Flock<File>>,
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
    pub async fn start(origin: Origin, mut loaded: Loaded) -> Result<Self, StartError> {
        open_files::fit(&mut loaded);
        let tallies = Arc::new(Tallies::default());
        let mut endpoints = Endpoints::new(Arc::clone(&tallies));
        let mut prepared = endpoints.prepare(&loaded.server).map_err(StartError::Addresses)?;
        let current = Current::new(ArcSwap::from_pointee(Serving {
            generation: 0,
            fixed: Arc::new(Static::new(Zones::new(Vec::new()), None, Numbers::default())),
            pools: Vec::new(),
        }));
        let prober = Prober::default();
        let state_dir = loaded.server.state_dir.clone();
        let unusable = || {
            let directory = state_dir.clone().unwrap_or_default();
            format!("state_dir {} cannot be used", directory.display())
        };
        let lock = state_dir.as_deref().map(state::lock).transpose().with_context(unusable)?;
        let Opened { mut book, set_aside } = Book::open(state_dir.as_deref()).with_context(unusable)?;
        // What ended while nobody was there does not count again for the moment until somebody looks.
        if book.overrides().clone().end(now()) != Ended::default() {
            book.change(|overrides| drop(overrides.end(now()))).with_context(unusable)?;
        }
        if let Some(what) = set_aside {
            error!("overrides are lost, nodes that were drained are answered again: {what}");
        }
        for (name, said) in book.overrides().described() {
            info!("{name} is {said}");
        }
        let memory = match &state_dir {
            Some(directory) => Memory::read(directory).with_context(unusable)?,
            None => Memory::default(),
        };
        let (overrides, in_flight) = (book.overrides().clone(), loaded.server.probes_in_flight);
        let journal = Arc::new(Journal::default());
        let (task, mut publisher, control) =
            Publisher::new(Arc::clone(&current), prober.clone(), in_flight, overrides, memory, Arc::clone(&journal));
        let publishing = tokio::spawn(task.run());
        let summary = summary(&loaded);
        let Loaded { server, admin, zones, pools, notifications, .. } = loaded;
        let notifiers = Notifiers::start(Arc::clone(&journal), notifications);
        let operator = Operator::new(book, control.clone(), journal, prober, Arc::clone(&tallies));
        let looking_after = operator.clone();
        let looking_after = async move { looking_after.look_after().await };
        let looking_after = AbortOnDropHandle::new(tokio::spawn(vital::task(looking_after)));
        let doors = match &admin {
            Some(admin) => Some(admin::open(admin, operator.clone()).await?),
            None => None,
        };
        let grace = server.startup_grace;
        info!("starting: {summary}; answering once every node is probed, in {grace:?} at the latest");
        let fixed = Arc::new(Static::new(zones, server.nsid.clone(), tallies.number(&pools)));
        let plan = Plan { generation: 1, fixed, pools };
        let enough = async {
            tokio::time::sleep(grace).await;
            None::<Interrupt>
        };
        let adopted = publisher.adopt(plan, server.probes_in_flight, enough).await;
        adopted.context("the first snapshot was not published")?;
        endpoints.begin(&mut prepared, &server, &current).context("there is no room for the UDP threads")?;
        endpoints.commit(prepared, &server);
        let keeping = state_dir.clone().map(|directory| tokio::spawn(memory::keep(control.clone(), directory)));
        let keeping = keeping.map(AbortOnDropHandle::new);
        let state = (state_dir, admin);
        let daemon = Self {
            origin,
            current,
            publisher,
            publishing,
            endpoints,
            tallies,
            generation: 1,
            state,
            control,
            keeping,
            _looking_after: looking_after,
            operator,
            notifiers,
            _doors: doors,
            _lock: lock,
        };
        info!("ready: {}; generation 1: {summary}", daemon.listening());
        Ok(daemon)
    }

    /// `UDP+TCP 127.0.0.1:53, TLS 127.0.0.1:853`.
    fn listening(&self) -> String {
        let addresses = self.endpoints.addresses();
        addresses.iter().map(|(what, address)| format!("{what} {address}")).collect::<Vec<_>>().join(", ")
    }

    /// Serves until SIGTERM or SIGINT; SIGHUP reloads.
    pub async fn run(mut self, mut signals: Signals) -> ExitCode {
        let stopped_by = 'serving: loop {
            tokio::select! {
                _ = signals.hangup.recv() => loop {
                    match self.reload(&mut signals).await {
                        Ok(()) => break,
                        Err(Interrupt::Reload) => info!("reload: given up for another one"),
                        Err(Interrupt::End(name)) => break 'serving name,
                    }
                },
                name = signals.end.recv() => break name,
                ended = &mut self.publishing => {
                    let why = ended.map_or_else(|error| error.to_string(), |()| "it has ended".to_owned());
                    error!("the publisher of health died: {why}");
                    return ExitCode::FAILURE;
                }
            }
        };
        info!("{stopped_by}: stopping");
        // A node that is being promoted has its role on disk before the end, if it can be.
        let settled = async { tokio::join!(self.endpoints.end(), self.operator.settle()) };
        if tokio::time::timeout(STOP_GRACE, settled).await.is_err() {
            warn!("not everything ended within {STOP_GRACE:?}");
        }
        self.remember().await;
        info!("stopped");
        ExitCode::SUCCESS
    }

    /// Writes down what is known, for the next start.
    async fn remember(&mut self) {
        let Some(directory) = self.state.0.clone() else { return };
        self.keeping = None;
        let Ok(known) = self.control.memory().await else { return };
        if let Err(error) = memory::write(known, directory.clone()).await {
            warn!("health cannot be kept in {}: {error}", directory.display());
        }
    }

    /// Takes the configuration anew; whatever is wrong with it, nothing changes then, and the log says what.
    ///
    /// # Errors
    /// A signal came first, and nothing has changed.
    async fn reload(&mut self, signals: &mut Signals) -> Result<(), Interrupt> {
        let origin = self.origin.clone();
        let loaded = tokio::select! {
            loaded = tokio::task::spawn_blocking(move || config::load(&origin)) => loaded,
            name = signals.end.recv() => return Err(Interrupt::End(name)),
        };
        let problems = match loaded {
            Ok(Ok(loaded)) => match self.adopt(loaded, signals).await {
                Ok(Some(interrupt)) => {
                    self.endpoints.give_up();
                    return Err(interrupt);
                }
                Ok(None) => return Ok(()),
                Err(problems) => problems,
            },
            Ok(Err(problems)) => problems.to_string(),
            Err(panic) => format!("the loader failed: {panic}"),
        };
        error!("reload refused, everything stays as it was:\n{problems}");
        Ok(())
    }

    /// Makes a loaded configuration the current one, unless a signal comes while new nodes are probed.
    async fn adopt(&mut self, mut loaded: Loaded, signals: &mut Signals) -> Result<Option<Interrupt>, String> {
        open_files::fit(&mut loaded);
        let mut prepared = self.endpoints.prepare(&loaded.server).map_err(|problems| problems.to_string())?;
        let begun = self.endpoints.begin(&mut prepared, &loaded.server, &self.current);
        begun.map_err(|error| format!("there is no room for the UDP threads: {error}"))?;
        log_warnings(&loaded.warnings);
        if self.state != (loaded.server.state_dir.clone(), loaded.admin.clone()) {
            warn!("`state_dir` and [admin] change with a restart only");
        }
        let summary = summary(&loaded);
        let Loaded { server, zones, pools, notifications, .. } = loaded;
        let fixed = Arc::new(Static::new(zones, server.nsid.clone(), self.tallies.number(&pools)));
        let generation = self.generation + 1;
        let plan = Plan { generation, fixed, pools };
        let enough = async {
            tokio::select! {
                () = tokio::time::sleep(server.startup_grace) => None,
                interrupt = Interrupt::next(signals) => Some(interrupt),
            }
        };
        let adopted = self.publisher.adopt(plan, server.probes_in_flight, enough).await;
        if let Some(interrupt) = adopted.map_err(|stopped| stopped.to_string())? {
            return Ok(Some(interrupt));
        }
        self.generation = generation;
        self.endpoints.commit(prepared, &server);
        self.notifiers.replace(notifications);
        info!("reloaded: {}; generation {generation}: {summary}", self.listening());
        Ok(None)
    }
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
