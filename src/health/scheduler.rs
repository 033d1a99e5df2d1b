//! The scheduler: decides when each target is probed, and runs the probes.
//!
//! A target is one address, probed by one monitor under one host name. It has one task, so its probes never
//! overlap. A tick that passes during a probe is skipped, and the rhythm is kept. The first probe runs at
//! once; the later ones run at a random offset in the interval, which spreads the load.
//!
//! [`super::handles`] prepares and commits the targets of a configuration. A panic of a probe ends the
//! process.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_core::state::{AddressTargets, Limits, Observation, TargetId};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::messages::Message;
use crate::abort_on_panic;
use crate::monitor::{Monitor, Probe, Prober};
use crate::pool_config::PoolConfig;

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

/// Targets of a configuration that is about to be used: what the publisher has to know of them.
#[derive(Debug, Default)]
pub(super) struct PublisherTargets {
    /// Per pool, per node, per address.
    pub(super) targets: Vec<Vec<Vec<AddressTargets>>>,
    /// Targets that are not probed yet.
    pub(super) new: Vec<Limits>,
    /// Targets whose monitor has changed.
    pub(super) changed: Vec<Limits>,
}

/// The same targets: what the scheduler does with them.
#[derive(Debug, Default)]
pub(super) struct SchedulerTargets {
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
    pub(super) fn prepare(&mut self, pools: &[PoolConfig]) -> (PublisherTargets, SchedulerTargets) {
        let (mut publisher, mut scheduler) = (PublisherTargets::default(), SchedulerTargets::default());
        let mut listed = HashMap::new();
        for config in pools {
            let mut targets_of = |address| {
                let mut target = |monitor: &Arc<Monitor>| {
                    let key = TargetKey { address, monitor: Arc::clone(&monitor.name), host: config.host_at(address) };
                    *listed.entry(key.clone()).or_insert_with(|| {
                        let id = self.list(&key, monitor, &mut publisher, &mut scheduler);
                        scheduler.wanted.insert(key);
                        id
                    })
                };
                AddressTargets {
                    serving: config.monitors.iter().map(&mut target).collect(),
                    standby: config.standby_monitors.iter().map(&mut target).collect(),
                }
            };
            let nodes = config.pool.nodes.iter();
            let targets = nodes.map(|node| node.addresses.iter().map(|&address| targets_of(address)).collect());
            let targets = targets.collect();
            publisher.targets.push(targets);
        }
        (publisher, scheduler)
    }

    /// Puts a target where it belongs: it is new, it has changed, or nothing is to be done.
    fn list(
        &mut self,
        key: &TargetKey,
        monitor: &Arc<Monitor>,
        publisher: &mut PublisherTargets,
        scheduler: &mut SchedulerTargets,
    ) -> TargetId {
        let pending = |id| Pending { id, key: key.clone(), monitor: Arc::clone(monitor) };
        match self.running.get(key) {
            Some(running) if *running.monitor == **monitor => running.id,
            Some(&Running { id, .. }) => {
                publisher.changed.push(Limits { target: id, rise: monitor.rise, fall: monitor.fall });
                scheduler.changed.push(pending(id));
                id
            }
            None => {
                self.last_id += 1;
                let id = TargetId(self.last_id);
                publisher.new.push(Limits { target: id, rise: monitor.rise, fall: monitor.fall });
                scheduler.new.push(pending(id));
                id
            }
        }
    }

    /// Begins to probe what is new.
    pub(super) fn begin(&mut self, prepared: &mut SchedulerTargets) {
        for pending in std::mem::take(&mut prepared.new) {
            self.start(pending);
        }
    }

    /// Takes the prepared targets as those that are wanted: what has changed is probed in its new way, and whatever
    /// else runs ends.
    pub(super) fn commit(&mut self, prepared: SchedulerTargets) {
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
        let task = AbortOnDropHandle::new(tokio::spawn(abort_on_panic::task(probing.run())));
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
            let outcome = self.probe.run().await;
            drop(permit);
            let monitor = Arc::clone(&self.monitor.name);
            let message = match outcome {
                Ok(result) => Message::Observed(Observation { target: self.id, monitor, result }),
                Err(why) => Message::NotRun { target: self.id, monitor, why },
            };
            if self.publisher.send(message).await.is_err() {
                return; // the publisher has ended
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
