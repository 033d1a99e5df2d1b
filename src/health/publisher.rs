//! The one task that owns all health and stores the snapshots that queries read.
//!
//! It takes observations from the probes and new configurations from a reload, in one queue, so that there is one
//! order of events. What flips within [`GATHER`] goes into one snapshot. Snapshots that were replaced are kept until
//! no query holds them any more and freed here, never on a thread that answers.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::control::{Control, Message, Plan, PublisherHandle};
use super::probe::Prober;
use super::report::Report;
use super::scheduler::{Limits, Scheduler};
use super::served::{Before, Served};
use super::standings;
use super::table::{Earlier, NewPool, Observation, SlotTargets, Standing, Table, TargetId};
use super::{Health, Memory};
use crate::events::Journal;
use crate::overrides::Overrides;
use crate::pool::{Pool, Role};
use crate::seldom::Seldom;
use crate::serving::{Current, Serving};

/// How long flips are gathered into one snapshot.
const GATHER: Duration = Duration::from_millis(1);

/// How often weights follow what agents say, and replaced snapshots are looked at.
const SWEEP: Duration = Duration::from_secs(1);

/// Messages that may wait; when they do, probes wait too.
const QUEUE: usize = 1024;

/// The task's state.
#[derive(Debug)]
pub struct Publisher {
    current: Current,
    messages: mpsc::Receiver<Message>,
    table: Table,
    pools: Vec<Served>,
    /// Pools that flipped since the last snapshot.
    dirty: HashSet<usize>,
    /// Pools whose weights have changed, which can wait.
    drifting: HashSet<usize>,
    /// Targets that somebody waits for, and whom to tell.
    awaited: Option<(HashSet<TargetId>, oneshot::Sender<()>)>,
    /// Replaced snapshots that queries may still hold.
    retired: Vec<Arc<Serving>>,
    report: Report,
    overrides: Overrides,
    /// What was known before the process began.
    memory: Memory,
    /// By monitor, so that one does not hide what ails another.
    untried: HashMap<Arc<str>, Seldom>,
    /// When weights and replaced snapshots were last looked after.
    swept: Instant,
    rng: fastrand::Rng,
}

impl Publisher {
    /// Prepares the task; [`Self::run`] must be spawned.
    pub fn new(
        current: Current,
        prober: Prober,
        in_flight: usize,
        overrides: Overrides,
        memory: Memory,
        journal: Arc<Journal>,
    ) -> (Self, PublisherHandle, Control) {
        let (sender, messages) = mpsc::channel(QUEUE);
        let scheduler = Scheduler::new(prober, in_flight, sender.clone());
        let publisher = Self {
            current,
            messages,
            table: Table::default(),
            pools: Vec::new(),
            dirty: HashSet::new(),
            drifting: HashSet::new(),
            awaited: None,
            retired: Vec::new(),
            report: Report::new(journal),
            overrides,
            memory,
            untried: HashMap::new(),
            swept: Instant::now(),
            rng: fastrand::Rng::new(),
        };
        let control = Control(sender.clone());
        (publisher, PublisherHandle { publisher: sender, scheduler }, control)
    }

    /// Runs until nobody can send any more.
    pub async fn run(mut self) {
        loop {
            // Weights follow once in a while; and snapshots that a query held a moment ago are freed soon, also when
            // nothing flips any more.
            let idle = self.retired.is_empty() && self.drifting.is_empty();
            let sweep = if idle { Instant::now() + Duration::from_secs(86_400) } else { self.swept + SWEEP };
            let Ok(message) = timeout_at(sweep, self.messages.recv()).await else {
                self.swept = Instant::now();
                self.dirty.extend(self.drifting.drain());
                if self.dirty.is_empty() {
                    self.free_retired();
                } else {
                    self.publish_flips();
                }
                continue;
            };
            let Some(message) = message else { return };
            self.take(message);
            if self.dirty.is_empty() {
                continue;
            }
            let deadline = Instant::now() + GATHER;
            while let Ok(Some(message)) = timeout_at(deadline, self.messages.recv()).await {
                self.take(message);
            }
            self.publish_flips();
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Observed(observation) => self.observe(observation),
            Message::Untried { target, monitor, why } => {
                if self.untried.entry(Arc::clone(&monitor)).or_default().is_due() {
                    warn!("monitor {monitor}: {why}; health stays as it is");
                }
                self.table.could_not_probe(target, why);
            }
            Message::Prepare { new, all, probed } => {
                self.set_limits(&new);
                let unprobed = all.into_iter().filter(|&target| self.table.is_unprobed(target)).collect();
                self.awaited = Some((unprobed, probed));
                self.tell_when_all_probed();
            }
            Message::Overrides { overrides, done } => {
                let before = std::mem::replace(&mut self.overrides, overrides);
                for (index, served) in self.pools.iter().enumerate() {
                    if before.said(&served.pool) != self.overrides.said(&served.pool) {
                        self.dirty.insert(index);
                    }
                }
                self.publish_flips();
                let _ = done.send(());
            }
            Message::Memory(reply) => {
                let mut memory = Memory::default();
                for (index, Served { pool, slots, said, .. }) in self.pools.iter().enumerate() {
                    for (&(node, address), standing) in slots.iter().zip(self.table.pool(index)) {
                        memory.remember(&pool.name, &pool.nodes[node].name, address, standing.health);
                    }
                    for (said, node) in said.iter().zip(&pool.nodes) {
                        if said.has_served && node.role == Role::Backup {
                            memory.remember_served(&pool.name, &node.name);
                        }
                    }
                }
                let _ = reply.send(memory);
            }
            Message::Status(reply) => {
                let pools = self.pools.iter().enumerate();
                let pools =
                    pools.map(|(index, served)| standings::of_pool(served, &self.overrides, &self.table, index));
                let _ = reply.send((self.current.load().generation, pools.collect()));
            }
            Message::Pool(name, reply) => {
                let served = self.pools.iter().find(|served| *served.pool.name == *name);
                let _ = reply.send(served.map(|served| served.pool.clone()));
            }
            Message::Nominees(reply) => {
                let wanting = self.pools.iter().enumerate().filter(|(_, served)| served.pool.auto_nominate.is_some());
                let nominees =
                    wanting.filter_map(|(index, served)| served.nominees(&served.believed(self.table.pool(index))));
                let _ = reply.send(nominees.collect());
            }
            Message::Adopt { plan, slots, changed, done } => {
                self.set_limits(&changed);
                self.adopt(*plan, slots);
                // Nobody waits when the process is ending.
                let _ = done.send(());
            }
        }
    }

    fn set_limits(&mut self, limits: &[Limits]) {
        for &(target, rise, fall) in limits {
            self.table.set_limits(target, rise, fall);
        }
    }

    fn observe(&mut self, Observation { target, monitor, result }: Observation) {
        let changes = self.table.observe(target, result);
        self.drifting.extend(changes.reweighed);
        self.dirty.extend(changes.turned);
        for flip in changes.flips {
            self.report.flip(&self.pools[flip.pool], &flip, &monitor);
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

    fn adopt(&mut self, plan: Plan, slots: Vec<Vec<SlotTargets>>) {
        let Plan { generation, fixed, pools } = plan;
        let remembered = |(index, served): (usize, Served)| served.remembered(&self.table.pool(index));
        let before: HashMap<Arc<str>, Before> = self.pools.drain(..).enumerate().map(remembered).collect();
        let new = |(pool, slots): (&Pool, Vec<SlotTargets>)| {
            let recall =
                |(node, address): (usize, IpAddr)| self.memory.recall(&pool.name, &pool.nodes[node].name, address);
            let fell = |at| before.get(&pool.name).map_or(0, |before| before.fell(pool, at));
            let earlier = |at: (usize, IpAddr)| Earlier { health: recall(at), fell: fell(at) };
            NewPool { require: pool.require, slots, earlier: pool.slots().map(earlier).collect() }
        };
        self.table.adopt(pools.iter().zip(slots).map(new).collect());
        self.dirty.clear();
        self.drifting.clear();
        self.awaited = None;
        self.untried.clear();
        let mut views = Vec::new();
        for (index, pool) in pools.into_iter().enumerate() {
            let standings = self.table.pool(index);
            let before = before.get(&pool.name);
            let name = Arc::clone(&pool.name);
            let mut served = Served::new(pool, before, |node| self.memory.has_served(&name, node));
            let (view, turns) = served.decide(&standings, &self.overrides, &mut self.rng);
            served.take_over(before, &self.overrides);
            if served.is_settling() {
                self.drifting.insert(index);
            }
            self.report_changes(index, &served, &standings, before);
            self.report.turns(&served, turns, &self.table, index);
            self.pools.push(served);
            views.push(Arc::new(view));
        }
        self.store(Serving { generation, fixed, pools: views });
    }

    /// Reports what a reload has brought to a pool: all of a new one, and newcomers to one that was there.
    fn report_changes(&mut self, index: usize, served: &Served, standings: &[Standing], before: Option<&Before>) {
        let Served { pool, slots, .. } = served;
        match before {
            None => self.report.pool(pool, standings),
            Some(before) => self.report.roles(served, before),
        }
        for (slot, &at) in slots.iter().enumerate() {
            let name = (Arc::clone(&pool.nodes[at.0].name), at.1);
            let known = before.and_then(|before| before.addresses.get(&name)).map(|known| known.health);
            let health = standings[slot].health;
            match known {
                Some(known) if known != health => {
                    self.report.reloaded(pool, at, health, self.table.failure(index, slot))
                }
                None if health != Health::Up && !pool.standby_monitors.is_empty() && served.is_backup(slot) => {
                    self.report.newcomer_as_spare(
                        pool,
                        at,
                        standings[slot].standby,
                        self.table.standby_failure(index, slot),
                    );
                }
                None if health != Health::Up => {
                    self.report.newcomer(pool, at, health, self.table.failure(index, slot));
                }
                _ => {}
            }
        }
    }

    fn publish_flips(&mut self) {
        let mut views = Vec::new();
        for index in std::mem::take(&mut self.dirty) {
            let served = &mut self.pools[index];
            let (view, turns) = served.decide(&self.table.pool(index), &self.overrides, &mut self.rng);
            views.push((index, view));
            if served.is_settling() {
                self.drifting.insert(index);
            }
            self.report.turns(served, turns, &self.table, index);
        }
        let next = self.current.load().with(views);
        self.store(next);
    }

    /// Makes a snapshot the current one; then there is time for the log and for what was replaced.
    fn store(&mut self, serving: Serving) {
        self.retired.push(self.current.swap(Arc::new(serving)));
        self.free_retired();
        self.report.write();
    }

    fn free_retired(&mut self) {
        self.retired.retain(|old| Arc::strong_count(old) > 1);
    }
}
