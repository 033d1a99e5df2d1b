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
use super::probe::{Probe, Prober};
use super::publisher::Message;
use super::table::{Observation, TargetId};
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

/// Targets of a configuration that is about to be used.
#[derive(Debug)]
pub(super) struct Prepared {
    /// For each pool and slot, the targets that decide its health.
    pub(super) slots: Vec<Vec<Vec<TargetId>>>,
    /// Targets that nobody has probed yet, and those whose limits have changed: identifier, rise, fall.
    pub(super) limits: Vec<(TargetId, u32, u32)>,
    pending: Vec<Pending>,
    keys: HashSet<TargetKey>,
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
    last_id: u64,
}

impl Scheduler {
    pub(super) fn new(prober: Prober, in_flight: usize, publisher: mpsc::Sender<Message>) -> Self {
        let gate = Arc::new(Semaphore::new(in_flight));
        Self { prober, gate, in_flight, publisher, running: HashMap::new(), last_id: 0 }
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
    pub(super) fn prepare(&mut self, pools: &[Pool]) -> Prepared {
        let mut prepared =
            Prepared { slots: Vec::new(), limits: Vec::new(), pending: Vec::new(), keys: HashSet::new() };
        let mut new_ids = HashMap::new();
        for pool in pools {
            let slot_targets = |(_, address): (usize, IpAddr)| {
                let targets = pool.monitors.iter().map(|monitor| {
                    let host = pool.host.clone().unwrap_or_else(|| url_host(address).into());
                    let key = TargetKey { address, monitor: Arc::clone(&monitor.name), host };
                    self.target(key, monitor, &mut new_ids, &mut prepared)
                });
                targets.collect()
            };
            let slots = pool.slots().map(slot_targets).collect();
            prepared.slots.push(slots);
        }
        prepared
    }

    fn target(
        &mut self,
        key: TargetKey,
        monitor: &Arc<Monitor>,
        new_ids: &mut HashMap<TargetKey, TargetId>,
        prepared: &mut Prepared,
    ) -> TargetId {
        let running = self.running.get(&key);
        if let Some(running) = running.filter(|running| *running.monitor == **monitor) {
            prepared.keys.insert(key);
            return running.id;
        }
        if let Some(&id) = new_ids.get(&key) {
            return id;
        }
        let id = running.map_or_else(
            || {
                self.last_id += 1;
                TargetId(self.last_id)
            },
            |running| running.id,
        );
        prepared.limits.push((id, monitor.rise, monitor.fall));
        prepared.pending.push(Pending { id, key: key.clone(), monitor: Arc::clone(monitor) });
        prepared.keys.insert(key.clone());
        new_ids.insert(key, id);
        id
    }

    /// Begins to probe what is new or has changed.
    pub(super) fn start(&mut self, prepared: &mut Prepared) {
        for Pending { id, key, monitor } in prepared.pending.drain(..) {
            let probing = Probing {
                id,
                monitor: Arc::clone(&monitor),
                probe: self.prober.prepare(&monitor, key.address, &key.host),
                gate: Arc::clone(&self.gate),
                publisher: self.publisher.clone(),
            };
            let task = AbortOnDropHandle::new(tokio::spawn(vital::task(probing.run())));
            self.running.insert(key, Running { id, monitor, _task: task });
        }
    }

    /// Ends the probing of whatever is not among the prepared targets.
    pub(super) fn retire_all_but(&mut self, prepared: &Prepared) {
        self.running.retain(|key, _| prepared.keys.contains(key));
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
    async fn run(self) {
        let interval = self.monitor.interval;
        let mut next = Instant::now() + interval.mul_f64(fastrand::f64());
        loop {
            let Ok(permit) = self.gate.acquire().await else {
                return;
            };
            let outcome = self.probe.attempt().await;
            drop(permit);
            let message = match outcome {
                Ok(result) => {
                    let monitor = Arc::clone(&self.monitor.name);
                    Message::Observed(Observation { target: self.id, monitor, result })
                }
                Err(untried) => Message::Untried(untried),
            };
            if self.publisher.send(message).await.is_err() {
                return; // nobody is left to know
            }
            next = tick_after(Instant::now(), next, interval);
            tokio::time::sleep_until(next).await;
        }
    }
}

/// An address as a URL and the Host header write it.
fn url_host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
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
