//! One address of a node: its targets, its health, and the latest verdict on it.

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
    /// What counts as health until its targets have been probed.
    initial: Health,
    /// Sequence number of its latest transition to down.
    down_since_seq: u64,
    /// The latest verdict.
    pub(super) verdict: Verdict,
}

impl AddressState {
    /// An address whose targets have yet to be asked, with what is known of it from before.
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

    /// What observations say.
    pub fn health(&self) -> AddressHealth {
        self.health
    }

    /// The latest verdict.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The targets that observe it.
    pub fn targets(&self) -> &AddressTargets {
        &self.targets
    }

    /// Takes over what its targets say after one of them was observed. `down_seq` counts transitions to down.
    pub(super) fn update(&mut self, targets: &Targets, require: Require, down_seq: &mut u64) {
        let health = targets.combined(require, &self.targets.serving, self.initial);
        if health == Health::Down && self.health.health != Health::Down {
            *down_seq += 1;
            self.down_since_seq = *down_seq;
        }
        self.set_health(targets, health);
    }

    /// Takes a health that no target has, for tests of what follows from it.
    #[cfg(test)]
    pub(super) fn assume(&mut self, health: AddressHealth) {
        self.health = health;
    }

    /// Takes over what its targets say when a configuration begins: no transition.
    pub(super) fn begin(&mut self, targets: &Targets, require: Require) {
        let health = targets.combined(require, &self.targets.serving, self.initial);
        self.set_health(targets, health);
    }

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
