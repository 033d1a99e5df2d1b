//! One address of a node: its targets, their combined health, and its latest verdict.

use std::net::IpAddr;

use super::targets::{AddressTargets, Targets};
use crate::health::{AddressHealth, Health, Require};
use crate::pool::Verdict;

/// The state of one address.
#[derive(Clone, Debug)]
pub struct AddressState {
    address: IpAddr,
    targets: AddressTargets,
    health: AddressHealth,
    /// Its health until its targets have been probed.
    initial: Health,
    /// Sequence number of its latest transition to down.
    down_since_seq: u64,
    /// The latest verdict.
    pub(super) verdict: Verdict,
}

impl AddressState {
    /// An address before [`Self::begin`], with its health, sequence number and verdict from before
    /// a reload or a restart.
    pub(super) fn new(
        address: IpAddr,
        targets: AddressTargets,
        initial: Health,
        down_since_seq: u64,
        verdict: Verdict,
    ) -> Self {
        Self { address, targets, health: initial.into(), initial, down_since_seq, verdict }
    }

    /// The address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Its health, by its targets.
    pub fn health(&self) -> AddressHealth {
        self.health
    }

    /// Sequence number of its latest transition to down.
    pub(super) fn down_since_seq(&self) -> u64 {
        self.down_since_seq
    }

    /// The latest verdict.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The targets that observe it.
    pub fn targets(&self) -> &AddressTargets {
        &self.targets
    }

    /// Combines the health of its targets after an observation. `down_seq` is the latest sequence
    /// number of a transition to down.
    pub(super) fn update(&mut self, targets: &Targets, require: Require, down_seq: &mut u64) {
        let health = targets.combined(require, &self.targets.serving, self.initial);
        if health == Health::Down && self.health.health != Health::Down {
            *down_seq += 1;
            self.down_since_seq = *down_seq;
        }
        self.set_health(targets, health);
    }

    /// Sets its health without targets, for tests.
    #[cfg(test)]
    pub(super) fn assume(&mut self, health: AddressHealth) {
        self.health = health;
    }

    /// Combines the health of its targets when a configuration is loaded, which is not a
    /// transition.
    pub(super) fn begin(&mut self, targets: &Targets, require: Require) {
        let health = targets.combined(require, &self.targets.serving, self.initial);
        self.set_health(targets, health);
    }

    /// Sets its health, and what the decision reads in addition to it.
    fn set_health(&mut self, targets: &Targets, health: Health) {
        let AddressTargets { serving, standby } = &self.targets;
        let responds = health == Health::Down && targets.all_down_respond(serving);
        self.health = AddressHealth {
            health,
            weight_percent: targets.weight_percent(serving),
            bad_response_seq: responds.then_some(self.down_since_seq),
            standby: match &standby[..] {
                [] => health,
                standby => targets.combined(Require::All, standby, Health::Unknown),
            },
        };
    }
}
