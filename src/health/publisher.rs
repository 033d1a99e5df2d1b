//! The one task that owns all health and stores the snapshots that queries read.
//!
//! It takes observations from the probes and new configurations from a reload, in one queue, so that there is one
//! order of events. What flips within [`GATHER`] goes into one snapshot. Snapshots that were replaced are kept until
//! no query holds them any more and freed here, never on a thread that answers.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::{info, warn};

use super::probe::Prober;
use super::scheduler::Prepared;
use super::table::{Flip, Observation, Table, TargetId};
use super::{Health, Scheduler};
use crate::pool::{Basis, Pool, PoolView, Role, WhenEmpty, decide};
use crate::serving::{Current, Serving, Static};

/// How long flips are gathered into one snapshot.
const GATHER: Duration = Duration::from_millis(1);

/// Messages that may wait; when they do, probes wait too.
const QUEUE: usize = 1024;

/// What the publisher is told.
#[derive(Debug)]
pub(super) enum Message {
    /// A probe has ended.
    Observed(Observation),
    /// Targets will be probed; `probed` is told when each of them has a result.
    Prepare { limits: Vec<(TargetId, u32, u32)>, probed: oneshot::Sender<()> },
    /// A configuration replaces the one before.
    Adopt { plan: Box<Plan>, slots: Vec<Vec<Vec<TargetId>>>, done: oneshot::Sender<()> },
}

/// A configuration as the publisher needs it.
#[derive(Debug)]
pub struct Plan {
    /// Number of the configuration, from 1.
    pub generation: u64,
    /// Zones and names.
    pub fixed: Arc<Static>,
    /// The pools that the names use.
    pub pools: Vec<Pool>,
}

/// The publisher is gone: it panicked, or the process is ending.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the publisher of health has stopped")]
pub struct Stopped;

/// The way to hand configurations to the publisher.
#[derive(Debug)]
pub struct PublisherHandle {
    publisher: mpsc::Sender<Message>,
    scheduler: Scheduler,
}

impl PublisherHandle {
    /// Makes a configuration the current one: probes what nobody has probed yet, for at most `grace`, then stores
    /// the first snapshot of it. Health of targets that stay is kept.
    ///
    /// # Errors
    /// The publisher is gone.
    pub async fn adopt(&mut self, plan: Plan, in_flight: usize, grace: Duration) -> Result<(), Stopped> {
        self.scheduler.set_in_flight(in_flight);
        let mut prepared: Prepared = self.scheduler.prepare(&plan.pools);
        let (probed, all_probed) = oneshot::channel();
        let limits = std::mem::take(&mut prepared.limits);
        self.publisher.send(Message::Prepare { limits, probed }).await.map_err(|_| Stopped)?;
        self.scheduler.start(&mut prepared);
        // Whoever has not answered by then is unknown; that is no error.
        let _ = tokio::time::timeout(grace, all_probed).await;
        let (done, adopted) = oneshot::channel();
        let slots = std::mem::take(&mut prepared.slots);
        self.publisher.send(Message::Adopt { plan: Box::new(plan), slots, done }).await.map_err(|_| Stopped)?;
        self.scheduler.retire_all_but(&prepared);
        adopted.await.map_err(|_| Stopped)
    }
}

/// The task's state.
#[derive(Debug)]
pub struct Publisher {
    current: Current,
    messages: mpsc::Receiver<Message>,
    table: Table,
    pools: Vec<Pool>,
    bases: Vec<Basis>,
    /// Pools that flipped since the last snapshot.
    dirty: HashSet<usize>,
    /// Targets that somebody waits for, and whom to tell.
    awaited: Option<(HashSet<TargetId>, oneshot::Sender<()>)>,
    /// Replaced snapshots that queries may still hold.
    retired: Vec<Arc<Serving>>,
    rng: fastrand::Rng,
}

impl Publisher {
    /// Prepares the task; [`Self::run`] must be spawned.
    pub fn new(current: Current, prober: Prober, in_flight: usize) -> (Self, PublisherHandle) {
        let (sender, messages) = mpsc::channel(QUEUE);
        let scheduler = Scheduler::new(prober, in_flight, sender.clone());
        let publisher = Self {
            current,
            messages,
            table: Table::default(),
            pools: Vec::new(),
            bases: Vec::new(),
            dirty: HashSet::new(),
            awaited: None,
            retired: Vec::new(),
            rng: fastrand::Rng::new(),
        };
        (publisher, PublisherHandle { publisher: sender, scheduler })
    }

    /// Runs until nobody can send any more.
    pub async fn run(mut self) {
        while let Some(message) = self.messages.recv().await {
            self.take(message);
            if self.dirty.is_empty() {
                continue;
            }
            let deadline = Instant::now() + GATHER;
            while let Ok(Some(message)) = tokio::time::timeout_at(deadline, self.messages.recv()).await {
                self.take(message);
            }
            self.publish_flips();
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Observed(observation) => self.observe(observation),
            Message::Prepare { limits, probed } => {
                for &(target, rise, fall) in &limits {
                    self.table.set_limits(target, rise, fall);
                }
                let unprobed: HashSet<TargetId> =
                    limits.iter().map(|&(target, ..)| target).filter(|&t| self.table.is_unprobed(t)).collect();
                self.awaited = Some((unprobed, probed));
                self.tell_when_all_probed();
            }
            Message::Adopt { plan, slots, done } => {
                self.adopt(*plan, slots);
                // Nobody waits when the process is ending.
                let _ = done.send(());
            }
        }
    }

    fn observe(&mut self, Observation { target, monitor, result }: Observation) {
        for flip in self.table.observe(target, result) {
            self.log_flip(&flip, &monitor);
            self.dirty.insert(flip.pool);
        }
        if let Some((unprobed, _)) = &mut self.awaited {
            unprobed.remove(&target);
            self.tell_when_all_probed();
        }
    }

    fn tell_when_all_probed(&mut self) {
        if let Some((_, probed)) = self.awaited.take_if(|(unprobed, _)| unprobed.is_empty()) {
            // Nobody waits when the grace is over.
            let _ = probed.send(());
        }
    }

    fn adopt(&mut self, plan: Plan, slots: Vec<Vec<Vec<TargetId>>>) {
        let Plan { generation, fixed, pools } = plan;
        let known: HashSet<Arc<str>> = self.pools.iter().map(|pool| Arc::clone(&pool.name)).collect();
        self.table.adopt(slots);
        self.pools = pools;
        self.dirty.clear();
        self.awaited = None;
        let mut bases = Vec::new();
        let mut views = Vec::new();
        for pool in 0..self.pools.len() {
            let (basis, view) = self.decide(pool);
            bases.push(basis);
            views.push(view);
            if !known.contains(&self.pools[pool].name) {
                self.log_pool(pool);
            }
            if basis != Basis::Active {
                self.log_basis(pool, basis);
            }
        }
        self.bases = bases;
        self.store(Serving { generation, fixed, pools: views });
    }

    fn publish_flips(&mut self) {
        let before = self.current.load_full();
        let mut pools = before.pools.clone();
        for pool in std::mem::take(&mut self.dirty) {
            let (basis, view) = self.decide(pool);
            pools[pool] = view;
            if std::mem::replace(&mut self.bases[pool], basis) != basis {
                self.log_basis(pool, basis);
            }
        }
        self.store(Serving { generation: before.generation, fixed: Arc::clone(&before.fixed), pools });
    }

    fn decide(&mut self, pool: usize) -> (Basis, Arc<PoolView>) {
        let decision = decide(&self.pools[pool], &self.table.pool(pool), &mut self.rng);
        (decision.basis, Arc::new(decision.view))
    }

    fn store(&mut self, serving: Serving) {
        self.retired.push(self.current.swap(Arc::new(serving)));
        self.retired.retain(|old| Arc::strong_count(old) > 1);
    }

    fn log_flip(&self, &Flip { pool, slot, to, count }: &Flip, monitor: &str) {
        let node = self.described(pool, slot);
        match to {
            Health::Up => info!("{node} is up: {count} of {count} probes of {monitor} passed"),
            _ => {
                let reason = self.table.failure(pool, slot).map(|f| format!(", {f}")).unwrap_or_default();
                info!("{node} is {to}: {count} of {count} probes of {monitor} failed{reason}");
            }
        }
    }

    /// One line for a pool that is new, and one for each of its addresses that is not up.
    fn log_pool(&self, pool: usize) {
        let health = self.table.pool(pool);
        let up = health.iter().filter(|&&h| h == Health::Up).count();
        info!("pool {}: {up} of {} addresses up", self.pools[pool].name, health.len());
        for (slot, health) in health.into_iter().enumerate().filter(|&(_, health)| health != Health::Up) {
            let node = self.described(pool, slot);
            match self.table.failure(pool, slot) {
                Some(failure) => info!("{node} is {health}: first probe failed, {failure}"),
                None => info!("{node} is {health}: not probed within startup_grace"),
            }
        }
    }

    fn log_basis(&self, pool: usize, basis: Basis) {
        let pool = &self.pools[pool];
        let name = &pool.name;
        let active = pool.nodes.iter().filter(|node| node.role == Role::Active).count();
        match basis {
            Basis::Active => warn!("pool {name}: active nodes are up again and answered"),
            Basis::Backup => warn!("pool {name}: no active node is up, backups are answered"),
            Basis::Unknown => {
                warn!("pool {name}: no node is up, nodes that are not probed yet are answered")
            }
            Basis::Empty => match &pool.when_empty {
                WhenEmpty::All => {
                    warn!("pool {name}: no node is up, all {active} active nodes are answered (fail open)")
                }
                WhenEmpty::ServFail => warn!("pool {name}: no node is up, SERVFAIL is answered"),
                WhenEmpty::NoData => warn!("pool {name}: no node is up, no addresses are answered"),
                WhenEmpty::Fallback(addresses) => {
                    warn!("pool {name}: no node is up, {} fallback addresses are answered", addresses.len());
                }
            },
        }
    }

    /// `pool/node (address)`.
    fn described(&self, pool: usize, slot: usize) -> String {
        let pool = &self.pools[pool];
        let (node, address) = pool.slots().nth(slot).expect("slots of the table are those of its pools");
        format!("{}/{} ({address})", pool.name, pool.nodes[node].name)
    }
}
