//! Targets: one address, probed by one monitor under one host name, with its tracker.
//!
//! A target may concern several pools; it is probed once.

use std::collections::HashMap;
use std::sync::Arc;

use crate::health::{Health, ProbeFailure, ProbeNotRun, ProbeResult, Require, Tracker, Transition};

/// Percentages of weight are rounded up to steps of this: what agents say wavers.
const PERCENT_STEP: u8 = 5;

/// Identifies a target for as long as the process lives.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TargetId(pub u64);

/// The place of an address in its pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AddressIndex {
    /// Index of the node in the pool.
    pub node: usize,
    /// Index of the address in the node.
    pub address: usize,
}

/// The targets of one address of a pool.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AddressTargets {
    /// By the monitors of the pool, which decide the health.
    pub serving: Vec<TargetId>,
    /// By the standby monitors of the pool.
    pub standby: Vec<TargetId>,
}

impl AddressTargets {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = TargetId> {
        self.serving.iter().chain(&self.standby).copied()
    }
}

/// The result of one probe.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The target that was probed.
    pub target: TargetId,
    /// The monitor that probed it.
    pub monitor: Arc<str>,
    /// What the probe found.
    pub result: ProbeResult,
}

/// Results in a row that change the health of a target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The target.
    pub target: TargetId,
    /// Good results that bring it up, at least 1.
    pub rise: u32,
    /// Failures that take it down, at least 1.
    pub fall: u32,
}

/// One target and what is known of it.
#[derive(Debug)]
struct Target {
    tracker: Tracker,
    /// Why the last probe failed, if it did.
    failure: Option<ProbeFailure>,
    /// Why the last probe did not run, if it did not.
    not_run: Option<ProbeNotRun>,
    /// Part of its weight that the node can carry, by the last good probe.
    weight_percent: u8,
    /// The addresses of pools that it concerns.
    concerns: Vec<Concern>,
}

/// An address of a pool that a target concerns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Concern {
    /// Index of the pool.
    pub(super) pool: usize,
    /// The address in it.
    pub(super) at: AddressIndex,
}

/// All targets.
#[derive(Debug, Default)]
pub(super) struct Targets(HashMap<TargetId, Target>);

/// What a result changes about a target.
#[derive(Debug)]
pub(super) struct TargetChange {
    /// Its health, if the tracker changed it.
    pub(super) transition: Option<Transition>,
    /// It is down, and its last result is a bad response while the one before was none, or the reverse.
    pub(super) response_changed: bool,
    /// It can carry another part of its weight.
    pub(super) weight_changed: bool,
    /// The addresses that it concerns.
    pub(super) concerns: Vec<Concern>,
}

/// Returns true if the node responded to a probe, well or badly.
fn responded(failure: Option<&ProbeFailure>) -> bool {
    failure.is_none_or(ProbeFailure::is_bad_response)
}

impl Targets {
    /// Adds a target that has not been probed, or gives other limits to one that is there.
    pub(super) fn set_limits(&mut self, Limits { target, rise, fall }: Limits) {
        match self.0.get_mut(&target) {
            Some(found) => found.tracker.set_limits(rise, fall),
            None => {
                let tracker = Tracker::new(rise, fall);
                let new = Target { tracker, failure: None, not_run: None, weight_percent: 100, concerns: Vec::new() };
                self.0.insert(target, new);
            }
        }
    }

    /// Returns true if the target is there and has not been probed yet.
    pub(super) fn is_unprobed(&self, target: TargetId) -> bool {
        self.0.get(&target).is_some_and(|target| target.tracker.health() == Health::Unknown)
    }

    /// Replaces what the targets concern, and forgets the targets that concern nothing any more.
    pub(super) fn set_concerns(&mut self, concerns: impl Iterator<Item = (TargetId, Concern)>) {
        self.0.values_mut().for_each(|target| target.concerns.clear());
        for (target, concern) in concerns {
            if let Some(found) = self.0.get_mut(&target) {
                found.concerns.push(concern);
            }
        }
        self.0.retain(|_, target| !target.concerns.is_empty());
    }

    /// Counts a result. Returns `None` if the target is gone: a reload removed it during the probe.
    pub(super) fn observe(&mut self, target: TargetId, result: &ProbeResult) -> Option<TargetChange> {
        let target = self.0.get_mut(&target)?;
        let transition = target.tracker.observe(result.is_ok());
        target.not_run = None;
        let responded_before = responded(target.failure.as_ref());
        target.failure = result.as_ref().err().cloned();
        let response_changed =
            target.tracker.health() == Health::Down && responded_before != responded(target.failure.as_ref());
        let mut weight_changed = false;
        if let Ok(success) = result {
            let percent = success.weight_percent.next_multiple_of(PERCENT_STEP);
            weight_changed = std::mem::replace(&mut target.weight_percent, percent) != percent;
        }
        let is_change = transition.is_some() || response_changed || weight_changed;
        let concerns = if is_change { target.concerns.clone() } else { Vec::new() };
        Some(TargetChange { transition, response_changed, weight_changed, concerns })
    }

    /// Notes why a probe did not run. The health of the target stays as it is.
    pub(super) fn set_not_run(&mut self, target: TargetId, why: ProbeNotRun) {
        if let Some(target) = self.0.get_mut(&target) {
            target.not_run = Some(why);
        }
    }

    /// Why this machine cannot probe one of some targets at the moment.
    pub(super) fn not_run(&self, mut targets: impl Iterator<Item = TargetId>) -> Option<&ProbeNotRun> {
        targets.find_map(|target| self.0.get(&target)?.not_run.as_ref())
    }

    /// Why the first of some targets that is down failed.
    pub(super) fn failure(&self, targets: &[TargetId]) -> Option<&ProbeFailure> {
        self.failures(targets).flatten().next()
    }

    /// Returns true if every target that is down still responds, and at least one is down.
    pub(super) fn all_down_respond(&self, targets: &[TargetId]) -> bool {
        let mut failures = self.failures(targets).peekable();
        failures.peek().is_some() && failures.all(responded)
    }

    /// The smallest part of its weight that a target finds the node able to carry, 1 to 100.
    pub(super) fn weight_percent(&self, targets: &[TargetId]) -> u8 {
        targets.iter().filter_map(|target| Some(self.0.get(target)?.weight_percent)).min().unwrap_or(100)
    }

    /// The last failures of the targets that are down. It is `None` for a target whose last probe passed, if
    /// not enough probes in a row did.
    fn failures(&self, targets: &[TargetId]) -> impl Iterator<Item = Option<&ProbeFailure>> {
        let targets = targets.iter().filter_map(|target| self.0.get(target));
        targets.filter(|target| target.tracker.health() == Health::Down).map(|target| target.failure.as_ref())
    }

    /// The health of an address by its targets: up if enough of them are up, down if too many are down for
    /// that, otherwise `initial`. Without targets, it is up.
    pub(super) fn combined(&self, require: Require, targets: &[TargetId], initial: Health) -> Health {
        let count = |wanted| {
            let health = |id: &&TargetId| self.0.get(*id).map_or(Health::Unknown, |target| target.tracker.health());
            targets.iter().filter(|id| health(id) == wanted).count()
        };
        let needed = match require {
            Require::All => targets.len(),
            Require::AtLeast(needed) => needed.min(targets.len()),
        };
        if count(Health::Up) >= needed {
            Health::Up
        } else if targets.len() - count(Health::Down) < needed {
            Health::Down
        } else {
            initial
        }
    }
}
