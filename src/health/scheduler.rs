//! When each target is probed.
//!
//! A target is one address, seen by one monitor, under one host name. It has one task, so that its probes never
//! overlap; ticks that pass while a probe is under way are left out and the rhythm is kept. The first probe runs at
//! once, the later ones at a random place within the interval, which spreads the targets over it.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::Monitor;
use super::control::Message;
use super::probe::{Probe, Prober};
use super::table::{Observation, SlotTargets, TargetId};
use crate::pool::Pool;
use crate::vital;

/// What makes two targets the same, also across reloads.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct TargetKey {
    address: IpAddr,
    monitor: Arc<str>,
    host: Arc<str>,
}

/// A target that is being probed.
#[derive(Debug)]
struct Running {
    id: TargetId,
    monitor: Arc<Monitor>,
    _task: AbortOnDropHandle<()>,
}

/// A target whose probing has yet to begin.
#[derive(Debug)]
struct Pending {
    id: TargetId,
    key: TargetKey,
    monitor: Arc<Monitor>,
}

/// Results in a row that flip a target: identifier, rise, fall.
pub(super) type Limits = (TargetId, u32, u32);

/// Targets of a configuration that is about to be used: what the publisher has to know of them.
#[derive(Debug, Default)]
pub(super) struct ForPublisher {
    /// For each pool and slot, its targets.
    pub(super) slots: Vec<Vec<SlotTargets>>,
    /// Targets that nobody probes yet.
    pub(super) new: Vec<Limits>,
    /// Targets whose monitor has changed.
    pub(super) changed: Vec<Limits>,
}

/// The same targets: what the scheduler does with them.
#[derive(Debug, Default)]
pub(super) struct ForScheduler {
    new: Vec<Pending>,
    changed: Vec<Pending>,
    wanted: HashSet<TargetKey>,
}

/// Runs the probes of all targets.
#[derive(Debug)]
pub(super) struct Scheduler {
    prober: Prober,
    /// Permits for probes in flight.
    gate: Arc<Semaphore>,
    /// How many there are.
    in_flight: usize,
    publisher: mpsc::Sender<Message>,
    running: HashMap<TargetKey, Running>,
    /// Targets of the configuration that is served.
    wanted: HashSet<TargetKey>,
    last_id: u64,
}

impl Scheduler {
    pub(super) fn new(prober: Prober, in_flight: usize, publisher: mpsc::Sender<Message>) -> Self {
        let gate = Arc::new(Semaphore::new(in_flight));
        Self { prober, gate, in_flight, publisher, running: HashMap::new(), wanted: HashSet::new(), last_id: 0 }
    }

    /// Bounds the probes in flight from now on; those that are under way end first.
    pub(super) fn set_in_flight(&mut self, in_flight: usize) {
        let before = std::mem::replace(&mut self.in_flight, in_flight);
        self.gate.add_permits(in_flight.saturating_sub(before));
        let surplus = before.saturating_sub(in_flight) as u32;
        if surplus > 0 {
            let gate = Arc::clone(&self.gate);
            tokio::spawn(async move {
                if let Ok(permits) = gate.acquire_many_owned(surplus).await {
                    permits.forget();
                }
            });
        }
    }

    /// Lists the targets of some pools, those that run already under the identifiers they have.
    pub(super) fn prepare(&mut self, pools: &[Pool]) -> (ForPublisher, ForScheduler) {
        let (mut publisher, mut scheduler) = (ForPublisher::default(), ForScheduler::default());
        let mut listed = HashMap::new();
        for pool in pools {
            let mut slots = Vec::new();
            for (_, address) in pool.slots() {
                let mut target = |monitor: &Arc<Monitor>| {
                    let host = pool.host_at(address);
                    let key = TargetKey { address, monitor: Arc::clone(&monitor.name), host };
                    *listed.entry(key.clone()).or_insert_with(|| {
                        let id = self.list(&key, monitor, &mut publisher, &mut scheduler);
                        scheduler.wanted.insert(key);
                        id
                    })
                };
                slots.push(SlotTargets {
                    serving: pool.monitors.iter().map(&mut target).collect(),
                    standby: pool.standby_monitors.iter().map(&mut target).collect(),
                });
            }
            publisher.slots.push(slots);
        }
        (publisher, scheduler)
    }

    /// Puts a target where it belongs: it is new, it has changed, or nothing is to be done.
    fn list(
        &mut self,
        key: &TargetKey,
        monitor: &Arc<Monitor>,
        publisher: &mut ForPublisher,
        scheduler: &mut ForScheduler,
    ) -> TargetId {
        let pending = |id| Pending { id, key: key.clone(), monitor: Arc::clone(monitor) };
        match self.running.get(key) {
            Some(running) if *running.monitor == **monitor => running.id,
            Some(&Running { id, .. }) => {
                publisher.changed.push((id, monitor.rise, monitor.fall));
                scheduler.changed.push(pending(id));
                id
            }
            None => {
                self.last_id += 1;
                let id = TargetId(self.last_id);
                publisher.new.push((id, monitor.rise, monitor.fall));
                scheduler.new.push(pending(id));
                id
            }
        }
    }

    /// Begins to probe what is new.
    pub(super) fn begin(&mut self, prepared: &mut ForScheduler) {
        for pending in std::mem::take(&mut prepared.new) {
            self.start(pending);
        }
    }

    /// Takes the prepared targets as those that are wanted: what has changed is probed in its new way, and whatever
    /// else runs ends.
    pub(super) fn commit(&mut self, prepared: ForScheduler) {
        for pending in prepared.changed {
            self.start(pending);
        }
        self.wanted = prepared.wanted;
        self.give_up();
    }

    /// Ends the probing of whatever the configuration that is served does not want.
    pub(super) fn give_up(&mut self) {
        self.running.retain(|key, _| self.wanted.contains(key));
    }

    fn start(&mut self, Pending { id, key, monitor }: Pending) {
        let probing = Probing {
            id,
            monitor: Arc::clone(&monitor),
            probe: self.prober.prepare(&monitor.kind, monitor.timeout, key.address, &key.host),
            gate: Arc::clone(&self.gate),
            publisher: self.publisher.clone(),
        };
        let task = AbortOnDropHandle::new(tokio::spawn(vital::task(probing.run())));
        self.running.insert(key, Running { id, monitor, _task: task });
    }
}

/// The task of one target.
struct Probing {
    id: TargetId,
    monitor: Arc<Monitor>,
    probe: Probe,
    gate: Arc<Semaphore>,
    publisher: mpsc::Sender<Message>,
}

impl Probing {
    async fn run(mut self) {
        let interval = self.monitor.interval;
        let mut next = Instant::now() + interval.mul_f64(fastrand::f64());
        loop {
            let Ok(permit) = self.gate.acquire().await else {
                return;
            };
            let outcome = self.probe.attempt().await;
            drop(permit);
            let monitor = Arc::clone(&self.monitor.name);
            let message = match outcome {
                Ok(result) => Message::Observed(Observation { target: self.id, monitor, result }),
                Err(why) => Message::Untried { target: self.id, monitor, why },
            };
            if self.publisher.send(message).await.is_err() {
                return; // nobody is left to know
            }
            next = tick_after(Instant::now(), next, interval);
            tokio::time::sleep_until(next).await;
        }
    }
}

/// The first of the ticks `next`, `next + interval`, … after `now`.
fn tick_after(now: Instant, next: Instant, interval: Duration) -> Instant {
    if next > now {
        return next;
    }
    let since_tick = (now - next).as_nanos() % interval.as_nanos();
    now + interval - Duration::from_nanos(since_tick as u64)
}
