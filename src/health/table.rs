//! Which observation concerns which node: trackers of all targets, and the health of every address of every pool.

use std::collections::HashMap;
use std::sync::Arc;

use super::probe::{Failure, Passed, Untried};
use super::{Health, Tracker};

/// Percentages are rounded up to steps of this.
const PERCENT_STEP: u8 = 5;

/// A target, for as long as the process lives.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct TargetId(pub(super) u64);

/// The result of one probe.
#[derive(Debug)]
pub(super) struct Observation {
    pub(super) target: TargetId,
    pub(super) monitor: Arc<str>,
    pub(super) result: Result<Passed, Failure>,
}

/// An address of a pool whose health has changed.
#[derive(Debug, PartialEq)]
pub(super) struct Flip {
    pub(super) pool: usize,
    pub(super) slot: usize,
    /// Alive as a spare or not, which says nothing of whether it serves.
    pub(super) as_spare: bool,
    pub(super) to: Health,
    /// Results in a row that made it so.
    pub(super) count: u32,
    /// The last of them.
    pub(super) result: Result<Passed, Failure>,
}

#[derive(Debug)]
struct Target {
    tracker: Tracker,
    /// Why the last probe failed, if it did.
    failure: Option<Failure>,
    /// Why the last attempt was none.
    untried: Option<Untried>,
    /// Part of its weight that the node can carry, by the last good probe.
    percent: u8,
    /// Pools and slots that it decides.
    concerns: Vec<(usize, usize)>,
}

#[derive(Debug)]
struct Slot {
    targets: Vec<TargetId>,
    health: Health,
    /// Those that find it alive as a spare.
    standby: Vec<TargetId>,
    alive: Health,
    /// When it went down, in the order in which all addresses did.
    fell: u64,
    /// What counts until it has been probed.
    before: Health,
}

/// The targets of one address of a pool.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SlotTargets {
    /// Those that decide its health.
    pub(super) serving: Vec<TargetId>,
    /// Those that find it alive as a spare.
    pub(super) standby: Vec<TargetId>,
}

impl SlotTargets {
    /// Both.
    pub(super) fn all(&self) -> impl Iterator<Item = TargetId> {
        self.serving.iter().chain(&self.standby).copied()
    }
}

/// What a new configuration says of a pool.
#[derive(Debug)]
pub(super) struct NewPool {
    pub(super) require: Require,
    /// For each slot, the targets that are of interest.
    pub(super) slots: Vec<SlotTargets>,
    /// For each slot, what is known of it.
    pub(super) earlier: Vec<Earlier>,
}

/// What was known of an address before a configuration, or before a restart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Earlier {
    /// What counts until it has been probed.
    pub(super) health: Health,
    /// Its place in the order in which addresses went down; the first when nobody knows.
    pub(super) fell: u64,
}

/// How many of an address's monitors must find it up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Require {
    /// Every one.
    All,
    /// At least so many; not more than there are.
    AtLeast(usize),
}

/// What a result has changed.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Changes {
    /// Addresses whose health flips.
    pub(super) flips: Vec<Flip>,
    /// Pools in which a node carries another part of its weight.
    pub(super) reweighed: Vec<usize>,
    /// Pools in which a node that is down answers badly and did not before, or the other way round.
    pub(super) turned: Vec<usize>,
}

/// Health and part of the weight of one address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standing {
    /// What observations say.
    pub health: Health,
    /// Part of its weight that it can carry, 1 to 100.
    pub percent: u8,
    /// For an address that is down and answers all the same: its place in the order in which addresses went down.
    pub answers_badly: Option<u64>,
    /// What observations say of it as a spare.
    pub standby: Health,
}

impl From<Health> for Standing {
    /// An address of which nothing more is to be said.
    fn from(health: Health) -> Self {
        Self { health, percent: 100, answers_badly: None, standby: Health::Unknown }
    }
}

/// The health of everything.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// How often an address went down.
    falls: u64,
    targets: HashMap<TargetId, Target>,
    pools: Vec<PoolHealth>,
}

/// The health of one pool.
#[derive(Debug)]
struct PoolHealth {
    require: Require,
    slots: Vec<Slot>,
}

/// Whether a node answered the last probe, well or badly.
fn answers(failure: Option<&Failure>) -> bool {
    failure.is_none_or(Failure::is_bad_answer)
}

impl Table {
    /// Adds a target that nobody has probed, or gives one that is there other limits.
    pub(super) fn set_limits(&mut self, id: TargetId, rise: u32, fall: u32) {
        match self.targets.get_mut(&id) {
            Some(target) => target.tracker.set_limits(rise, fall),
            None => {
                let tracker = Tracker::new(rise, fall);
                self.targets
                    .insert(id, Target { tracker, failure: None, untried: None, percent: 100, concerns: Vec::new() });
            }
        }
    }

    /// Whether nobody has probed the target yet.
    pub(super) fn is_unprobed(&self, id: TargetId) -> bool {
        self.targets.get(&id).is_some_and(|target| target.tracker.health() == Health::Unknown)
    }

    /// Replaces the pools by others; targets that none of them has are forgotten.
    pub(super) fn adopt(&mut self, pools: Vec<NewPool>) {
        for target in self.targets.values_mut() {
            target.concerns.clear();
        }
        for (pool, new) in pools.iter().enumerate() {
            for (slot, targets) in new.slots.iter().enumerate() {
                for id in targets.all() {
                    if let Some(target) = self.targets.get_mut(&id) {
                        target.concerns.push((pool, slot));
                    }
                }
            }
        }
        self.targets.retain(|_, target| !target.concerns.is_empty());
        let pools = pools.into_iter().map(|NewPool { require, slots, earlier }| {
            let slot = |(SlotTargets { serving, standby }, earlier): (SlotTargets, Earlier)| Slot {
                health: self.combined(require, &serving, earlier.health),
                alive: self.combined(Require::All, &standby, Health::Unknown),
                targets: serving,
                standby,
                fell: earlier.fell,
                before: earlier.health,
            };
            PoolHealth { require, slots: slots.into_iter().zip(earlier).map(slot).collect() }
        });
        self.pools = pools.collect();
    }

    /// Counts a result; gives what changes by it.
    pub(super) fn observe(&mut self, id: TargetId, result: Result<Passed, Failure>) -> Changes {
        let mut changes = Changes::default();
        let Some(target) = self.targets.get_mut(&id) else {
            return changes; // retired while the probe was under way
        };
        let transition = target.tracker.observe(result.is_ok());
        target.untried = None;
        let answered = answers(target.failure.as_ref());
        target.failure = result.as_ref().err().cloned();
        if target.tracker.health() == Health::Down && answered != answers(target.failure.as_ref()) {
            changes.turned = target.concerns.iter().map(|&(pool, _)| pool).collect();
        }
        if let Ok(Passed { percent }) = result {
            // Coarse steps: what an agent says wavers.
            let percent = percent.next_multiple_of(PERCENT_STEP);
            if std::mem::replace(&mut target.percent, percent) != percent {
                changes.reweighed = target.concerns.iter().map(|&(pool, _)| pool).collect();
            }
        }
        let Some(transition) = transition else { return changes };
        for (pool, slot) in target.concerns.clone() {
            let PoolHealth { require, slots } = &self.pools[pool];
            let found = &slots[slot];
            let health = self.combined(*require, &found.targets, found.before);
            let alive = self.combined(Require::All, &found.standby, Health::Unknown);
            let found = &mut self.pools[pool].slots[slot];
            if health == Health::Down && found.health != Health::Down {
                self.falls += 1;
                found.fell = self.falls;
            }
            for (as_spare, known, to) in [(false, &mut found.health, health), (true, &mut found.alive, alive)] {
                if std::mem::replace(known, to) != to {
                    let (count, result) = (transition.count, result.clone());
                    changes.flips.push(Flip { pool, slot, as_spare, to, count, result });
                }
            }
        }
        changes
    }

    /// Notes why nobody could look at a target; its health stays as it is.
    pub(super) fn could_not_probe(&mut self, id: TargetId, why: Untried) {
        if let Some(target) = self.targets.get_mut(&id) {
            target.untried = Some(why);
        }
    }

    /// Why this machine cannot look at an address at the moment.
    pub(super) fn untried(&self, pool: usize, slot: usize) -> Option<&Untried> {
        let Slot { targets, standby, .. } = &self.pools[pool].slots[slot];
        targets.iter().chain(standby).find_map(|id| self.targets.get(id)?.untried.as_ref())
    }

    /// How a pool's addresses stand, in the order of its slots.
    pub(super) fn pool(&self, pool: usize) -> Vec<Standing> {
        let percent = |slot: &Slot| slot.targets.iter().filter_map(|id| Some(self.targets.get(id)?.percent)).min();
        let standing = |slot: &Slot| Standing {
            health: slot.health,
            percent: percent(slot).unwrap_or(100),
            answers_badly: (slot.health == Health::Down && self.answers_badly(&slot.targets)).then_some(slot.fell),
            standby: if slot.standby.is_empty() { slot.health } else { slot.alive },
        };
        self.pools[pool].slots.iter().map(standing).collect()
    }

    /// Why the last probe of an address that is down failed.
    pub(super) fn failure(&self, pool: usize, slot: usize) -> Option<&Failure> {
        self.failures(&self.pools[pool].slots[slot].targets).flatten().next()
    }

    /// Why an address is not alive as a spare.
    pub(super) fn standby_failure(&self, pool: usize, slot: usize) -> Option<&Failure> {
        self.failures(&self.pools[pool].slots[slot].standby).flatten().next()
    }

    /// Whether whatever is down of some targets answers.
    fn answers_badly(&self, targets: &[TargetId]) -> bool {
        let mut failures = self.failures(targets).peekable();
        failures.peek().is_some() && failures.all(answers)
    }

    /// The last failures of those targets that are down. One has none when its last probe passed, but not enough did.
    fn failures(&self, targets: &[TargetId]) -> impl Iterator<Item = Option<&Failure>> {
        let targets = targets.iter().filter_map(|id| self.targets.get(id));
        targets.filter(|target| target.tracker.health() == Health::Down).map(|target| target.failure.as_ref())
    }

    /// Up when enough say so, down when no more can become enough, otherwise as before; without targets nothing speaks
    /// against the address.
    fn combined(&self, require: Require, targets: &[TargetId], before: Health) -> Health {
        let count = |wanted| {
            let health = |id: &&TargetId| self.targets.get(*id).map_or(Health::Unknown, |t| t.tracker.health());
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
            before
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: Result<Passed, Failure> = Err(Failure::Status(503));
    const PASSED: Result<Passed, Failure> = Ok(Passed::FULLY);

    type Pools = Vec<(Require, Vec<Vec<TargetId>>)>;

    fn serving(serving: Vec<TargetId>) -> SlotTargets {
        SlotTargets { serving, ..SlotTargets::default() }
    }

    fn adopt(table: &mut Table, pools: Pools) {
        let new = |(require, slots): (Require, Vec<Vec<TargetId>>)| NewPool {
            require,
            earlier: vec![Earlier { health: Health::Unknown, fell: 0 }; slots.len()],
            slots: slots.into_iter().map(serving).collect(),
        };
        table.adopt(pools.into_iter().map(new).collect());
    }

    fn table(targets: &[TargetId], pools: Pools) -> Table {
        let mut table = Table::default();
        targets.iter().for_each(|&target| table.set_limits(target, 1, 1));
        adopt(&mut table, pools);
        table
    }

    fn health(table: &Table, pool: usize) -> Vec<Health> {
        table.pool(pool).iter().map(|standing| standing.health).collect()
    }

    #[test]
    fn one_target_flips_every_pool_that_has_it() {
        let (shared, other) = (TargetId(1), TargetId(2));
        let pools = vec![(Require::All, vec![vec![shared]]), (Require::All, vec![vec![other], vec![shared, other]])];
        let mut table = table(&[shared, other], pools);
        let flip = Flip { pool: 0, slot: 0, as_spare: false, to: Health::Up, count: 1, result: PASSED };
        assert_eq!(table.observe(shared, PASSED).flips, [flip]);
        assert_eq!(table.observe(other, FAILED).flips.len(), 2);
        assert_eq!(health(&table, 1), [Health::Down, Health::Down]);
        assert_eq!(table.failure(1, 1), Some(&Failure::Status(503)));
        assert_eq!(table.observe(other, PASSED).flips.len(), 2);
        assert_eq!(health(&table, 1), [Health::Up, Health::Up]);
    }

    #[test]
    fn as_many_monitors_decide_as_are_required() {
        let ids = [TargetId(1), TargetId(2), TargetId(3)];
        for (require, expected) in [
            (Require::All, [Health::Unknown, Health::Down, Health::Down]),
            (Require::AtLeast(2), [Health::Unknown, Health::Unknown, Health::Up]),
            (Require::AtLeast(1), [Health::Up, Health::Up, Health::Up]),
        ] {
            let mut table = table(&ids, vec![(require, vec![ids.to_vec()])]);
            let results = [PASSED, FAILED, PASSED];
            for ((id, result), expected) in ids.into_iter().zip(results).zip(expected) {
                table.observe(id, result);
                assert_eq!(health(&table, 0), [expected], "{require:?} after {id:?}");
            }
        }
    }

    #[test]
    fn the_least_percentage_counts_in_coarse_steps() {
        let ids = [TargetId(1), TargetId(2)];
        let mut table = table(&ids, vec![(Require::All, vec![ids.to_vec()])]);
        assert_eq!(table.observe(ids[0], Ok(Passed { percent: 41 })).reweighed, [0]);
        assert_eq!(table.observe(ids[0], Ok(Passed { percent: 44 })), Changes::default());
        assert_eq!(table.observe(ids[1], Ok(Passed { percent: 73 })).reweighed, [0]);
        assert_eq!(table.pool(0)[0].percent, 45);
    }

    #[test]
    fn health_survives_a_reload_and_goes_with_its_last_pool() {
        let target = TargetId(1);
        let mut table = table(&[target], vec![(Require::All, vec![vec![target]])]);
        table.observe(target, PASSED);
        table.set_limits(target, 1, 3);
        adopt(&mut table, vec![(Require::All, vec![]), (Require::All, vec![vec![target]])]);
        assert_eq!(health(&table, 1), [Health::Up]);
        adopt(&mut table, vec![]);
        assert_eq!(table.observe(target, FAILED), Changes::default());
    }

    #[test]
    fn what_was_known_before_counts_until_the_first_probe() {
        let target = TargetId(1);
        for (before, flips_up, flips_down) in [(Health::Up, 0, 1), (Health::Down, 1, 0), (Health::Unknown, 1, 1)] {
            for (result, flips) in [(PASSED, flips_up), (FAILED, flips_down)] {
                let mut table = Table::default();
                table.set_limits(target, 3, 3);
                table.adopt(vec![NewPool {
                    require: Require::All,
                    slots: vec![serving(vec![target])],
                    earlier: vec![Earlier { health: before, fell: 0 }],
                }]);
                assert_eq!(health(&table, 0), [before]);
                assert_eq!(
                    table.observe(target, result).flips.len(),
                    flips,
                    "{before}: the first result decides alone"
                );
            }
        }
    }

    #[test]
    fn an_address_without_monitors_is_up() {
        assert_eq!(health(&table(&[], vec![(Require::All, vec![vec![]])]), 0), [Health::Up]);
    }
}
