//! Targets: an address that one monitor probes under one host name, with its tracker.
//!
//! Several pools can use a target. It is probed only once.

use std::collections::HashMap;
use std::sync::Arc;

use crate::health::{Health, ProbeFailure, ProbeNotRun, ProbeResult, Require, Tracker, Transition};

/// Percentages of weight are rounded up to multiples of this, because those of agents vary a little
/// all the time.
const PERCENT_STEP: u8 = 5;

/// Identifies a target while the process runs.
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
    /// The targets of the pool's monitors, for its health.
    pub serving: Vec<TargetId>,
    /// The targets of the pool's standby monitors, for its standby health.
    pub standby: Vec<TargetId>,
}

impl AddressTargets {
    /// All targets.
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
    /// The result.
    pub result: ProbeResult,
}

/// The limits of a target's tracker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The target.
    pub target: TargetId,
    /// Successes in a row that bring it up, at least 1.
    pub rise: u32,
    /// Failures in a row that take it down, at least 1.
    pub fall: u32,
}

/// One target, with its latest results.
#[derive(Debug)]
struct Target {
    tracker: Tracker,
    /// Why the latest probe failed, if it did.
    failure: Option<ProbeFailure>,
    /// Why the latest probe did not run, if it did not.
    not_run: Option<ProbeNotRun>,
    /// Part of its weight that the node can carry, by the latest successful probe.
    weight_percent: u8,
    /// Its uses.
    uses: Vec<TargetUse>,
}

/// One use of a target: the address of a pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct TargetUse {
    /// Index of the pool.
    pub(super) pool: usize,
    /// The address in the pool.
    pub(super) at: AddressIndex,
}

/// All targets.
#[derive(Debug, Default)]
pub(super) struct Targets(HashMap<TargetId, Target>);

/// The changes of a target by one result.
#[derive(Debug)]
pub(super) struct TargetChange {
    /// The change of its health, if any.
    pub(super) transition: Option<Transition>,
    /// It is down, and has begun or ceased to respond.
    pub(super) response_changed: bool,
    /// The node can carry another part of its weight.
    pub(super) weight_changed: bool,
    /// Its uses; empty without a change.
    pub(super) uses: Vec<TargetUse>,
}

/// Returns true if the node responded to a probe: with success, or with a bad response.
fn responded(failure: Option<&ProbeFailure>) -> bool {
    failure.is_none_or(ProbeFailure::is_bad_response)
}

impl Targets {
    /// Adds a target that has not been probed yet, or sets the limits of a known one.
    pub(super) fn set_limits(&mut self, Limits { target, rise, fall }: Limits) {
        match self.0.get_mut(&target) {
            Some(found) => found.tracker.set_limits(rise, fall),
            None => {
                let tracker = Tracker::new(rise, fall);
                let new = Target { tracker, failure: None, not_run: None, weight_percent: 100, uses: Vec::new() };
                self.0.insert(target, new);
            }
        }
    }

    /// Returns true if the target is known and has not been probed yet.
    pub(super) fn is_unprobed(&self, target: TargetId) -> bool {
        self.0.get(&target).is_some_and(|target| target.tracker.health() == Health::Unknown)
    }

    /// Sets the uses of all targets, and removes unused targets.
    pub(super) fn set_uses(&mut self, uses: impl Iterator<Item = (TargetId, TargetUse)>) {
        self.0.values_mut().for_each(|target| target.uses.clear());
        for (target, used) in uses {
            if let Some(found) = self.0.get_mut(&target) {
                found.uses.push(used);
            }
        }
        self.0.retain(|_, target| !target.uses.is_empty());
    }

    /// Counts a result. Returns `None` if a reload has removed the target since the probe began.
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
        let uses = if is_change { target.uses.clone() } else { Vec::new() };
        Some(TargetChange { transition, response_changed, weight_changed, uses })
    }

    /// Notes why a probe did not run. The health of the target does not change.
    pub(super) fn set_not_run(&mut self, target: TargetId, why: ProbeNotRun) {
        if let Some(target) = self.0.get_mut(&target) {
            target.not_run = Some(why);
        }
    }

    /// Why the latest probe of one of these targets did not run.
    pub(super) fn not_run(&self, mut targets: impl Iterator<Item = TargetId>) -> Option<&ProbeNotRun> {
        targets.find_map(|target| self.0.get(&target)?.not_run.as_ref())
    }

    /// The latest failure of the first of these targets that is down and has one.
    pub(super) fn failure(&self, targets: &[TargetId]) -> Option<&ProbeFailure> {
        self.failures(targets).flatten().next()
    }

    /// Returns true if at least one target is down, and all down targets still respond.
    pub(super) fn all_down_respond(&self, targets: &[TargetId]) -> bool {
        let mut failures = self.failures(targets).peekable();
        failures.peek().is_some() && failures.all(responded)
    }

    /// The smallest percentage of weight of these targets, 1 to 100.
    pub(super) fn weight_percent(&self, targets: &[TargetId]) -> u8 {
        targets.iter().filter_map(|target| Some(self.0.get(target)?.weight_percent)).min().unwrap_or(100)
    }

    /// The latest failures of the targets that are down. It is `None` for a target whose latest
    /// probe succeeded, but which needs more successes to be up.
    fn failures(&self, targets: &[TargetId]) -> impl Iterator<Item = Option<&ProbeFailure>> {
        let targets = targets.iter().filter_map(|target| self.0.get(target));
        targets.filter(|target| target.tracker.health() == Health::Down).map(|target| target.failure.as_ref())
    }

    /// The health of an address by its targets: up if enough targets are up, down if too many are
    /// down for that, otherwise `initial`. An address without targets is up.
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
