//! Which observation concerns which node: trackers of all targets, and the health of every address of every pool.

use std::collections::HashMap;
use std::sync::Arc;

use super::probe::Failure;
use super::{Health, Tracker};

/// A target, for as long as the process lives.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct TargetId(pub(super) u64);

/// The result of one probe.
#[derive(Debug)]
pub(super) struct Observation {
    pub(super) target: TargetId,
    pub(super) monitor: Arc<str>,
    pub(super) result: Result<(), Failure>,
}

/// An address of a pool whose health has changed.
#[derive(Debug, PartialEq)]
pub(super) struct Flip {
    pub(super) pool: usize,
    pub(super) slot: usize,
    pub(super) to: Health,
    /// Results in a row that made it so.
    pub(super) count: u32,
    /// The last of them.
    pub(super) result: Result<(), Failure>,
}

#[derive(Debug)]
struct Target {
    tracker: Tracker,
    /// Why the last probe failed, if it did.
    failure: Option<Failure>,
    /// Pools and slots that it decides.
    concerns: Vec<(usize, usize)>,
}

#[derive(Debug)]
struct Slot {
    targets: Vec<TargetId>,
    health: Health,
}

/// The health of everything.
#[derive(Debug, Default)]
pub(super) struct Table {
    targets: HashMap<TargetId, Target>,
    pools: Vec<Vec<Slot>>,
}

impl Table {
    /// Adds a target that nobody has probed, or gives one that is there other limits.
    pub(super) fn set_limits(&mut self, id: TargetId, rise: u32, fall: u32) {
        match self.targets.get_mut(&id) {
            Some(target) => target.tracker.set_limits(rise, fall),
            None => {
                let tracker = Tracker::new(rise, fall);
                self.targets.insert(id, Target { tracker, failure: None, concerns: Vec::new() });
            }
        }
    }

    /// Whether nobody has probed the target yet.
    pub(super) fn is_unprobed(&self, id: TargetId) -> bool {
        self.targets.get(&id).is_some_and(|target| target.tracker.health() == Health::Unknown)
    }

    /// Replaces the pools by others; targets that none of them has are forgotten.
    pub(super) fn adopt(&mut self, slots: Vec<Vec<Vec<TargetId>>>) {
        for target in self.targets.values_mut() {
            target.concerns.clear();
        }
        for (pool, slots) in slots.iter().enumerate() {
            for (slot, targets) in slots.iter().enumerate() {
                for id in targets {
                    if let Some(target) = self.targets.get_mut(id) {
                        target.concerns.push((pool, slot));
                    }
                }
            }
        }
        self.targets.retain(|_, target| !target.concerns.is_empty());
        let slot = |targets: Vec<TargetId>| Slot { health: self.combined(&targets), targets };
        let pools = slots.into_iter().map(|slots| slots.into_iter().map(slot).collect()).collect();
        self.pools = pools;
    }

    /// Counts a result; gives the addresses that flip by it.
    pub(super) fn observe(&mut self, id: TargetId, result: Result<(), Failure>) -> Vec<Flip> {
        let Some(target) = self.targets.get_mut(&id) else {
            return Vec::new(); // retired while the probe was under way
        };
        let transition = target.tracker.observe(result.is_ok());
        target.failure = result.clone().err();
        let Some(transition) = transition else {
            return Vec::new();
        };
        let mut flips = Vec::new();
        for (pool, slot) in target.concerns.clone() {
            let to = self.combined(&self.pools[pool][slot].targets);
            let health = &mut self.pools[pool][slot].health;
            if *health != to {
                *health = to;
                flips.push(Flip { pool, slot, to, count: transition.count, result: result.clone() });
            }
        }
        flips
    }

    /// Health of a pool's addresses, in the order of its slots.
    pub(super) fn pool(&self, pool: usize) -> Vec<Health> {
        self.pools[pool].iter().map(|slot| slot.health).collect()
    }

    /// Why the last probe of an address that is down failed.
    pub(super) fn failure(&self, pool: usize, slot: usize) -> Option<&Failure> {
        let targets = self.pools[pool][slot].targets.iter().filter_map(|id| self.targets.get(id));
        targets.filter(|target| target.tracker.health() == Health::Down).find_map(|target| target.failure.as_ref())
    }

    /// Up when all say so, down when one says so; without targets nothing speaks against the address.
    fn combined(&self, targets: &[TargetId]) -> Health {
        let health = |id: &TargetId| self.targets.get(id).map_or(Health::Unknown, |target| target.tracker.health());
        if targets.iter().any(|id| health(id) == Health::Down) {
            Health::Down
        } else if targets.iter().all(|id| health(id) == Health::Up) {
            Health::Up
        } else {
            Health::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: Result<(), Failure> = Err(Failure::Status(503));

    #[test]
    fn one_target_flips_every_pool_that_has_it() {
        let (shared, other) = (TargetId(1), TargetId(2));
        let mut table = Table::default();
        table.set_limits(shared, 1, 1);
        table.set_limits(other, 1, 1);
        table.adopt(vec![vec![vec![shared]], vec![vec![other], vec![shared, other]]]);
        assert_eq!(
            table.observe(shared, Ok(())),
            [Flip { pool: 0, slot: 0, to: Health::Up, count: 1, result: Ok(()) }]
        );
        assert_eq!(table.observe(other, FAILED).len(), 2);
        assert_eq!(table.pool(1), [Health::Down, Health::Down]);
        assert_eq!(table.failure(1, 1), Some(&Failure::Status(503)));
        assert_eq!(table.observe(other, Ok(())).len(), 2);
        assert_eq!(table.pool(1), [Health::Up, Health::Up]);
    }

    #[test]
    fn health_survives_a_reload_and_goes_with_its_last_pool() {
        let target = TargetId(1);
        let mut table = Table::default();
        table.set_limits(target, 1, 2);
        table.adopt(vec![vec![vec![target]]]);
        table.observe(target, Ok(()));
        table.set_limits(target, 1, 3);
        table.adopt(vec![vec![], vec![vec![target]]]);
        assert_eq!(table.pool(1), [Health::Up]);
        table.adopt(vec![]);
        assert_eq!(table.observe(target, FAILED), []);
    }

    #[test]
    fn an_address_without_monitors_is_up() {
        let mut table = Table::default();
        table.adopt(vec![vec![vec![]]]);
        assert_eq!(table.pool(0), [Health::Up]);
    }
}
