//! The scheduler: decides when each target is probed, and runs the probes.
//!
//! A target is one address, probed by one monitor under one host name. It has one task, so its
//! probes never overlap. The first probe runs at once. The later ones run at a random offset in the
//! interval, which spreads the load. If a probe takes longer than the interval, the ticks that it
//! misses are skipped and the offset stays.
//!
//! [`super::ConfigHandle`] prepares and commits the targets of a configuration. A panic in a probe
//! ends the process.

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

/// Identifies a probe target. Targets with equal keys are the same target, even across reloads.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct TargetKey {
    address: IpAddr,
    monitor: Arc<str>,
    host: Arc<str>,
}

/// A target that is probed.
#[derive(Debug)]
struct RunningTarget {
    id: TargetId,
    monitor: Arc<Monitor>,
    _task: AbortOnDropHandle<()>,
}

/// A target that is new, or whose monitor has changed. It is not probed this way yet.
#[derive(Debug)]
struct PendingTarget {
    id: TargetId,
    key: TargetKey,
    monitor: Arc<Monitor>,
}

/// The targets of a configuration that is about to be adopted: the part for the publisher.
#[derive(Debug, Default)]
pub(super) struct PublisherTargets {
    /// Per pool, per node, per address.
    pub(super) targets: Vec<Vec<Vec<AddressTargets>>>,
    /// Targets that are not probed yet.
    pub(super) new: Vec<Limits>,
    /// Targets whose monitor has changed.
    pub(super) changed: Vec<Limits>,
}

/// The same targets: the part for the scheduler.
#[derive(Debug, Default)]
pub(super) struct SchedulerTargets {
    new: Vec<PendingTarget>,
    changed: Vec<PendingTarget>,
    wanted: HashSet<TargetKey>,
}

/// Runs the probes of all targets.
#[derive(Debug)]
pub(super) struct Scheduler {
    prober: Prober,
    /// One permit per probe in flight.
    permits: Arc<Semaphore>,
    /// Limit of probes in flight: the number of `permits`.
    in_flight: usize,
    publisher: mpsc::Sender<Message>,
    running: HashMap<TargetKey, RunningTarget>,
    /// The targets of the configuration that is served.
    wanted: HashSet<TargetKey>,
    last_id: u64,
}

impl Scheduler {
    pub(super) fn new(prober: Prober, in_flight: usize, publisher: mpsc::Sender<Message>) -> Self {
        let permits = Arc::new(Semaphore::new(in_flight));
        Self { prober, permits, in_flight, publisher, running: HashMap::new(), wanted: HashSet::new(), last_id: 0 }
    }

    /// Sets the limit on probes in flight. If the limit is reduced, it takes effect as running
    /// probes end.
    pub(super) fn set_in_flight(&mut self, in_flight: usize) {
        let before = std::mem::replace(&mut self.in_flight, in_flight);
        self.permits.add_permits(in_flight.saturating_sub(before));
        let surplus = before.saturating_sub(in_flight) as u32;
        if surplus > 0 {
            let all_permits = Arc::clone(&self.permits);
            tokio::spawn(async move {
                if let Ok(permits) = all_permits.acquire_many_owned(surplus).await {
                    permits.forget();
                }
            });
        }
    }

    /// Lists the targets of a configuration. Targets that are probed already keep their
    /// identifiers.
    pub(super) fn prepare(&mut self, pools: &[PoolConfig]) -> (PublisherTargets, SchedulerTargets) {
        let mut listing = Listing { scheduler: self, ids: HashMap::new(), new: Vec::new(), changed: Vec::new() };
        let targets = pools.iter().map(|config| listing.add_pool(config)).collect();
        let Listing { ids, new, changed, .. } = listing;
        let limits = |pending: &[PendingTarget]| pending.iter().map(PendingTarget::limits).collect();
        let publisher = PublisherTargets { targets, new: limits(&new), changed: limits(&changed) };
        (publisher, SchedulerTargets { new, changed, wanted: ids.into_keys().collect() })
    }

    /// Starts to probe the new targets.
    pub(super) fn start_new(&mut self, prepared: &mut SchedulerTargets) {
        for pending in std::mem::take(&mut prepared.new) {
            self.start(pending);
        }
    }

    /// Makes the prepared targets the wanted ones. Targets whose monitor has changed are probed in
    /// the new way, and targets that are not wanted are no longer probed.
    pub(super) fn commit(&mut self, prepared: SchedulerTargets) {
        for pending in prepared.changed {
            self.start(pending);
        }
        self.wanted = prepared.wanted;
        self.end_unwanted();
    }

    /// Stops probing the new targets of a configuration that was not adopted.
    pub(super) fn rollback(&mut self) {
        self.end_unwanted();
    }

    fn end_unwanted(&mut self) {
        self.running.retain(|key, _| self.wanted.contains(key));
    }

    fn start(&mut self, PendingTarget { id, key, monitor }: PendingTarget) {
        let task = ProbeTask {
            id,
            monitor: Arc::clone(&monitor),
            probe: self.prober.prepare(&monitor.kind, monitor.timeout, key.address, &key.host),
            permits: Arc::clone(&self.permits),
            publisher: self.publisher.clone(),
        };
        let task = AbortOnDropHandle::new(tokio::spawn(abort_on_panic::task(task.run())));
        // This aborts the task that probed the target in the old way, if there is one.
        self.running.insert(key, RunningTarget { id, monitor, _task: task });
    }
}

impl PendingTarget {
    fn limits(&self) -> Limits {
        Limits { target: self.id, rise: self.monitor.rise, fall: self.monitor.fall }
    }
}

/// Lists the targets of a configuration. Pools can have targets in common.
struct Listing<'s> {
    scheduler: &'s mut Scheduler,
    ids: HashMap<TargetKey, TargetId>,
    new: Vec<PendingTarget>,
    changed: Vec<PendingTarget>,
}

impl Listing<'_> {
    /// Returns the targets of a pool, per node and per address.
    fn add_pool(&mut self, config: &PoolConfig) -> Vec<Vec<AddressTargets>> {
        let nodes = config.pool.nodes.iter();
        nodes.map(|node| node.addresses.iter().map(|&address| self.add_address(config, address)).collect()).collect()
    }

    fn add_address(&mut self, config: &PoolConfig, address: IpAddr) -> AddressTargets {
        let host = config.host_at(address);
        let mut add = |monitor: &Arc<Monitor>| {
            let key = TargetKey { address, monitor: Arc::clone(&monitor.name), host: Arc::clone(&host) };
            self.add_target(key, monitor)
        };
        AddressTargets {
            serving: config.monitors.iter().map(&mut add).collect(),
            standby: config.standby_monitors.iter().map(&mut add).collect(),
        }
    }

    fn add_target(&mut self, key: TargetKey, monitor: &Arc<Monitor>) -> TargetId {
        if let Some(&id) = self.ids.get(&key) {
            return id;
        }
        let pending = |id| PendingTarget { id, key: key.clone(), monitor: Arc::clone(monitor) };
        let id = match self.scheduler.running.get(&key) {
            Some(running) if *running.monitor == **monitor => running.id,
            Some(&RunningTarget { id, .. }) => {
                self.changed.push(pending(id));
                id
            }
            None => {
                self.scheduler.last_id += 1;
                let id = TargetId(self.scheduler.last_id);
                self.new.push(pending(id));
                id
            }
        };
        self.ids.insert(key, id);
        id
    }
}

/// The task of one target.
struct ProbeTask {
    id: TargetId,
    monitor: Arc<Monitor>,
    probe: Probe,
    permits: Arc<Semaphore>,
    publisher: mpsc::Sender<Message>,
}

impl ProbeTask {
    async fn run(mut self) {
        let interval = self.monitor.interval;
        let mut next = Instant::now() + interval.mul_f64(fastrand::f64());
        loop {
            let Ok(permit) = self.permits.acquire().await else { return };
            let outcome = self.probe.run().await;
            drop(permit);
            let monitor = Arc::clone(&self.monitor.name);
            let message = match outcome {
                Ok(result) => Message::Observed(Observation { target: self.id, monitor, result }),
                Err(why) => Message::NotRun { target: self.id, monitor, why },
            };
            if self.publisher.send(message).await.is_err() {
                return; // The publisher has ended.
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
