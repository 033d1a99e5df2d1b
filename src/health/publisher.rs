//! The publisher: the one task that owns the state of all pools and stores the snapshots that
//! queries read.
//!
//! It takes observations, overrides and configurations from one queue, so that all changes have one
//! order. Changes by observations within [`GATHER`] go into one snapshot. A replaced snapshot is
//! kept until no query holds it and is freed here, never on a thread that answers. If the task
//! panics, the daemon ends the process.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_core::overrides::Overrides;
use evenkeel_core::snapshot::{CurrentSnapshot, Snapshot};
use evenkeel_core::state::{AddressTargets, Observation, PoolStates, RememberedHealth, TargetId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::warn;

use super::config_handle::ConfigHandle;
use super::health_handle::HealthHandle;
use super::messages::{Adoption, HealthStatus, Message, PublishedConfig};
use super::pool_events::PoolEvents;
use super::scheduler::Scheduler;
use crate::clock;
use crate::events::EventLog;
use crate::log_throttle::LogThrottle;
use crate::monitor::Prober;
use crate::pool_config::PoolConfig;

/// How long changes are gathered into one snapshot.
const GATHER: Duration = Duration::from_millis(1);

/// Time between two sweeps: they publish deferred changes, and free replaced snapshots.
const SWEEP: Duration = Duration::from_secs(1);

/// Messages that may wait in the queue. If it is full, the next probe of a target waits.
const QUEUE: usize = 1024;

/// The state of the task.
#[derive(Debug)]
pub struct Publisher {
    current: CurrentSnapshot,
    messages: mpsc::Receiver<Message>,
    states: PoolStates,
    /// The pools of the configuration that is served, in its order.
    pools: Vec<PoolConfig>,
    /// Pools to decide on again for the next snapshot, by index.
    dirty: HashSet<usize>,
    /// Pools to decide on again at the next sweep: their weights have changed, or their roles are
    /// settling.
    deferred: HashSet<usize>,
    /// Targets without a result that a new configuration waits for.
    awaited: Option<(HashSet<TargetId>, oneshot::Sender<()>)>,
    /// Replaced snapshots that queries may still hold.
    retired: Vec<Arc<Snapshot>>,
    events: PoolEvents,
    overrides: Overrides,
    /// The health that was stored before the process started.
    remembered: RememberedHealth,
    /// Per monitor, so that one monitor does not hide the faults of another.
    not_run: HashMap<Arc<str>, LogThrottle>,
    last_sweep: Instant,
    rng: fastrand::Rng,
}

/// The targets of a pool: per node, per address.
type PoolTargets = Vec<Vec<AddressTargets>>;

/// The values with which the publisher starts.
#[derive(Debug)]
pub struct PublisherSettings {
    /// Runs the probes.
    pub prober: Prober,
    /// Probes in flight, at most.
    pub in_flight: usize,
    /// From the state directory.
    pub overrides: Overrides,
    /// From the state directory.
    pub remembered: RememberedHealth,
}

impl Publisher {
    /// Prepares the task; [`Self::run`] must be spawned.
    pub fn new(
        current: CurrentSnapshot,
        settings: PublisherSettings,
        events: Arc<EventLog>,
    ) -> (Self, ConfigHandle, HealthHandle) {
        let PublisherSettings { prober, in_flight, overrides, remembered } = settings;
        let (sender, messages) = mpsc::channel(QUEUE);
        let scheduler = Scheduler::new(prober, in_flight, sender.clone());
        let publisher = Self {
            current,
            messages,
            states: PoolStates::default(),
            pools: Vec::new(),
            dirty: HashSet::new(),
            deferred: HashSet::new(),
            awaited: None,
            retired: Vec::new(),
            events: PoolEvents::new(events),
            overrides,
            remembered,
            not_run: HashMap::new(),
            last_sweep: Instant::now(),
            rng: fastrand::Rng::new(),
        };
        let handle = HealthHandle(sender.clone());
        (publisher, ConfigHandle { publisher: sender, scheduler }, handle)
    }

    /// Runs until every handle is dropped.
    pub async fn run(mut self) {
        loop {
            let needs_sweep = !self.retired.is_empty() || !self.deferred.is_empty();
            let message = tokio::select! {
                biased;
                message = self.messages.recv() => message,
                () = sleep_until(self.last_sweep + SWEEP), if needs_sweep => {
                    self.sweep();
                    continue;
                }
            };
            let Some(message) = message else { return };
            self.handle(message);
            if self.dirty.is_empty() {
                continue;
            }
            let deadline = Instant::now() + GATHER;
            while let Ok(Some(message)) = timeout_at(deadline, self.messages.recv()).await {
                self.handle(message);
            }
            self.publish();
        }
    }

    /// Publishes the deferred changes, and frees snapshots that queries have released.
    fn sweep(&mut self) {
        self.last_sweep = Instant::now();
        self.dirty.extend(self.deferred.drain());
        if self.dirty.is_empty() {
            self.free_retired();
        } else {
            self.publish();
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Observed(observation) => self.observe(observation),
            Message::NotRun { target, monitor, why } => {
                if self.not_run.entry(Arc::clone(&monitor)).or_default().is_due() {
                    warn!("monitor {monitor}: {why}; health stays as it is");
                }
                self.states.set_not_run(target, why);
            }
            Message::Prepare { new, all, probed } => {
                self.states.set_limits(&new);
                let unprobed = all.into_iter().filter(|&target| self.states.is_unprobed(target)).collect();
                self.awaited = Some((unprobed, probed));
                self.signal_if_all_probed();
            }
            Message::Overrides { overrides, done } => {
                self.set_overrides(overrides);
                // If the receiver is gone, the reply is not needed, here and below.
                let _ = done.send(());
            }
            Message::Remember(reply) => drop(reply.send(self.states.remember())),
            Message::Status(reply) => {
                let _ = reply.send(HealthStatus {
                    generation: self.current.load().generation,
                    pools: self.states.status(&self.overrides, clock::now()),
                    absent: self.states.absent_nodes(&self.overrides),
                });
            }
            Message::Pool(name, reply) => {
                let _ = reply.send(self.pools.iter().find(|config| *config.pool.name == *name).cloned());
            }
            Message::Nominees(reply) => drop(reply.send(self.states.nominees(clock::now()))),
            Message::Adopt(adoption) => {
                let Adoption { config, targets, changed, done } = *adoption;
                self.states.set_limits(&changed);
                self.adopt(config, targets);
                let _ = done.send(());
            }
        }
    }

    fn observe(&mut self, observation: Observation) {
        let (target, monitor) = (observation.target, Arc::clone(&observation.monitor));
        let effect = self.states.observe(observation);
        self.deferred.extend(effect.reweighted);
        self.dirty.extend(effect.response_changed);
        for transition in effect.transitions {
            self.events.transition(self.states.pool(transition.pool), &transition, &monitor);
            self.dirty.insert(transition.pool);
        }
        if let Some((unprobed, _)) = &mut self.awaited {
            unprobed.remove(&target);
            self.signal_if_all_probed();
        }
    }

    fn signal_if_all_probed(&mut self) {
        if let Some((_, probed)) = self.awaited.take_if(|(unprobed, _)| unprobed.is_empty()) {
            // The receiver is gone if the wait for the first round of probes is over.
            let _ = probed.send(());
        }
    }

    fn set_overrides(&mut self, overrides: Overrides) {
        let before = std::mem::replace(&mut self.overrides, overrides);
        for (index, config) in self.pools.iter().enumerate() {
            let pool = &config.pool;
            let differs = |node| before.admin_state(pool, node) != self.overrides.admin_state(pool, node);
            if pool.nodes.iter().any(differs) {
                self.dirty.insert(index);
            }
        }
        self.publish();
    }

    fn adopt(&mut self, config: PublishedConfig, targets: Vec<PoolTargets>) {
        let PublishedConfig { generation, config, pools } = config;
        let now = clock::now();
        let named = pools.iter().map(|config| Arc::clone(&config.pool)).zip(targets).collect();
        let previous = self.states.replace(named, &self.remembered, now);
        self.pools = pools;
        self.dirty.clear();
        self.deferred.clear();
        self.awaited = None;
        self.not_run.clear();
        let mut views = Vec::new();
        for (index, config) in self.pools.iter().enumerate() {
            let previous = previous.get(&config.pool.name);
            let (view, changes) = self.states.decide(index, &self.overrides, now, &mut self.rng);
            self.states.take_over_idle_times(index, previous, &self.overrides, now);
            if self.states.pool(index).is_settling(now) {
                self.deferred.insert(index);
            }
            self.events.reload(&self.states, index, previous);
            self.events.changes(&self.states, index, changes);
            views.push(Arc::new(view));
        }
        self.store(Snapshot { generation, config, pools: views });
    }

    /// Decides on the dirty pools again, and stores the next snapshot.
    fn publish(&mut self) {
        let now = clock::now();
        let mut views = Vec::new();
        for index in std::mem::take(&mut self.dirty) {
            let (view, changes) = self.states.decide(index, &self.overrides, now, &mut self.rng);
            views.push((index, view));
            if self.states.pool(index).is_settling(now) {
                self.deferred.insert(index);
            }
            self.events.changes(&self.states, index, changes);
        }
        let next = self.current.load().with_views(views);
        self.store(next);
    }

    /// Makes a snapshot the current one. Logging and freeing come later: queries do not wait for
    /// them.
    fn store(&mut self, snapshot: Snapshot) {
        self.retired.push(self.current.swap(Arc::new(snapshot)));
        self.free_retired();
        self.events.record();
    }

    fn free_retired(&mut self) {
        self.retired.retain(|old| Arc::strong_count(old) > 1);
    }
}
