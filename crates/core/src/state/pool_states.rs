//! The state of all pools of a configuration, with the targets that observe them.
//!
//! The publisher calls [`PoolStates::observe`] per probe, and [`PoolStates::decide`] for the pools
//! that have changed. All calls succeed; observations of unknown targets are ignored.

use std::collections::HashMap;
use std::sync::Arc;

use super::auto_nominate::Nominees;
use super::pool_state::{PoolState, StateChange};
use super::previous::PreviousPool;
use super::remembered::RememberedHealth;
use super::targets::{AddressIndex, AddressTargets, Limits, Observation, TargetId, TargetUse, Targets};
use crate::health::{Health, ProbeFailure, ProbeNotRun, ProbeResult};
use crate::node_id::NodeId;
use crate::overrides::Overrides;
use crate::pool::{Pool, PoolView};
use crate::status::{AbsentNode, PoolStatus};
use crate::time::Now;

/// The state of all pools.
#[derive(Debug, Default)]
pub struct PoolStates {
    targets: Targets,
    pools: Vec<PoolState>,
    /// Sequence number of the latest transition to down.
    down_seq: u64,
}

/// A change of the health or the standby health of an address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HealthTransition {
    /// Index of the pool.
    pub pool: usize,
    /// The address in it.
    pub at: AddressIndex,
    /// The standby health has changed, not the health.
    pub is_standby: bool,
    /// The new health.
    pub to: Health,
    /// Results in a row that caused it.
    pub count: u32,
    /// The last of them.
    pub result: ProbeResult,
}

/// The changes by one observation.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct ObservationEffect {
    /// Addresses whose health or standby health has changed.
    pub transitions: Vec<HealthTransition>,
    /// Pools with a node that can carry another part of its weight.
    pub reweighted: Vec<usize>,
    /// Pools with a node that is down and has begun or ceased to respond.
    pub response_changed: Vec<usize>,
}

impl PoolStates {
    /// Adds targets that have not been probed yet, and sets the limits of known targets.
    pub fn set_limits(&mut self, limits: &[Limits]) {
        limits.iter().for_each(|&limits| self.targets.set_limits(limits));
    }

    /// Returns true if the target is known and has not been probed yet.
    pub fn is_unprobed(&self, target: TargetId) -> bool {
        self.targets.is_unprobed(target)
    }

    /// The state of a pool, by its index in the configuration.
    pub fn pool(&self, pool: usize) -> &PoolState {
        &self.pools[pool]
    }

    /// All pools, in the order of the configuration.
    pub fn pools(&self) -> &[PoolState] {
        &self.pools
    }

    /// Counts the result of a probe. The caller decides again on the pools that it affects.
    pub fn observe(&mut self, observation: Observation) -> ObservationEffect {
        let mut effect = ObservationEffect::default();
        let Observation { target, result, .. } = observation;
        let Some(change) = self.targets.observe(target, &result) else { return effect };
        let pools = || change.uses.iter().map(|used| used.pool);
        effect.reweighted.extend(pools().filter(|_| change.weight_changed));
        effect.response_changed.extend(pools().filter(|_| change.response_changed));
        for &TargetUse { pool, at } in &change.uses {
            let state = &mut self.pools[pool];
            let require = state.pool().require;
            let address = state.address_mut(at);
            let before = address.health();
            address.update(&self.targets, require, &mut self.down_seq);
            let Some(transition) = change.transition else { continue };
            for (is_standby, was, to) in
                [(false, before.health, address.health().health), (true, before.standby, address.health().standby)]
            {
                // Without standby monitors, the standby health repeats the health.
                if was != to && !(is_standby && address.targets().standby.is_empty()) {
                    let (count, result) = (transition.count, result.clone());
                    effect.transitions.push(HealthTransition { pool, at, is_standby, to, count, result });
                }
            }
        }
        effect
    }

    /// Notes why a probe did not run. No health changes.
    pub fn set_not_run(&mut self, target: TargetId, why: ProbeNotRun) {
        self.targets.set_not_run(target, why);
    }

    /// Replaces all pools by those of another configuration, each with the targets of its
    /// addresses: per node, per address. Nodes that stay keep their health and role.
    ///
    /// Returns the previous pools by name.
    pub fn replace(
        &mut self,
        pools: Vec<(Arc<Pool>, Vec<Vec<AddressTargets>>)>,
        remembered: &RememberedHealth,
        now: Now,
    ) -> HashMap<Arc<str>, PreviousPool> {
        let previous: HashMap<_, _> =
            self.pools.drain(..).map(|state| (Arc::clone(&state.pool().name), state.into_previous(now))).collect();
        let new = |(pool, targets): (Arc<Pool>, Vec<Vec<AddressTargets>>)| {
            let before = previous.get(&pool.name);
            PoolState::new(pool, targets, before, remembered, now)
        };
        self.pools = pools.into_iter().map(new).collect();
        let uses = self.pools.iter().enumerate().flat_map(|(pool, state)| {
            state.addresses().flat_map(move |(at, address)| {
                address.targets().all().map(move |target| (target, TargetUse { pool, at }))
            })
        });
        self.targets.set_uses(uses);
        for state in &mut self.pools {
            let require = state.pool().require;
            state.addresses_mut().for_each(|address| address.begin(&self.targets, require));
        }
        previous
    }

    /// Applies overrides and nominations to a pool, and decides again which addresses are eligible.
    ///
    /// Returns the view for queries, and the changes that users should learn of.
    pub fn decide(
        &mut self,
        pool: usize,
        overrides: &Overrides,
        now: Now,
        rng: &mut fastrand::Rng,
    ) -> (PoolView, Vec<StateChange>) {
        self.pools[pool].decide(overrides, now, rng)
    }

    /// Carries the idle times of a pool's nodes across a reload or a restart. The caller decides on
    /// the pool before.
    pub fn take_over_idle_times(
        &mut self,
        pool: usize,
        previous: Option<&PreviousPool>,
        overrides: &Overrides,
        now: Now,
    ) {
        self.pools[pool].take_over_idle_times(previous, overrides, now);
    }

    /// Why an address of a pool is down.
    pub fn failure(&self, pool: usize, at: AddressIndex) -> Option<&ProbeFailure> {
        self.targets.failure(&self.pools[pool].address(at).targets().serving)
    }

    /// Why the standby health of an address of a pool is down.
    pub fn standby_failure(&self, pool: usize, at: AddressIndex) -> Option<&ProbeFailure> {
        self.targets.failure(&self.pools[pool].address(at).targets().standby)
    }

    /// Describes all pools for users.
    pub fn status(&self, overrides: &Overrides, now: Now) -> Vec<PoolStatus> {
        self.pools.iter().map(|pool| pool.status(&self.targets, overrides, now)).collect()
    }

    /// Nodes with an override or a nomination that no pool has.
    pub fn absent_nodes(&self, overrides: &Overrides) -> Vec<AbsentNode> {
        let has = |id: &NodeId| {
            let pool = self.pools.iter().map(PoolState::pool).find(|pool| *pool.name == *id.pool());
            pool.is_some_and(|pool| pool.nodes.iter().any(|node| *node.name == *id.node()))
        };
        let absent = overrides.nodes().filter(|id| !has(id)).map(|id| AbsentNode {
            node: id.clone(),
            r#override: overrides.get(id).map(Into::into),
            nomination: overrides.nomination(id).cloned(),
        });
        absent.collect()
    }

    /// Backups to nominate without an operator, per pool that needs one.
    pub fn nominees(&self, now: Now) -> Vec<Nominees> {
        self.pools.iter().filter_map(|pool| pool.nominees(now)).collect()
    }

    /// The health and the roles to remember across a restart.
    pub fn remember(&self) -> RememberedHealth {
        let mut remembered = RememberedHealth::default();
        self.pools.iter().for_each(|pool| pool.remember(&mut remembered));
        remembered
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::health::{ProbeSuccess, Require};
    use crate::pool::{Node, Role};

    const FAILED: ProbeResult = Err(ProbeFailure::Status(503));
    const PASSED: ProbeResult = Ok(ProbeSuccess::FULL_WEIGHT);

    /// A node with one address per list of targets.
    type Nodes = Vec<Vec<TargetId>>;

    fn replace(states: &mut PoolStates, pools: Vec<(Require, Nodes)>, remembered: &RememberedHealth) {
        let node = |i: usize| Node {
            name: format!("n{i}").into(),
            addresses: vec![[192, 0, 2, i as u8].into()],
            weight: 1,
            role: Role::Active,
        };
        let pool = |(index, (require, nodes)): (usize, (Require, Nodes))| {
            let named = Pool::with_defaults(&format!("p{index}"), (0..nodes.len()).map(node).collect());
            let targets = |serving| vec![AddressTargets { serving, standby: Vec::new() }];
            (Arc::new(Pool { require, ..named }), nodes.into_iter().map(targets).collect())
        };
        let now = Now { instant: Instant::now(), unix: 0 };
        states.replace(pools.into_iter().enumerate().map(pool).collect(), remembered, now);
    }

    fn states(targets: &[TargetId], pools: Vec<(Require, Nodes)>) -> PoolStates {
        let mut states = PoolStates::default();
        targets.iter().for_each(|&target| states.set_limits(&[Limits { target, rise: 1, fall: 1 }]));
        replace(&mut states, pools, &RememberedHealth::default());
        states
    }

    fn observe(states: &mut PoolStates, target: TargetId, result: ProbeResult) -> ObservationEffect {
        states.observe(Observation { target, monitor: "m".into(), result })
    }

    fn health(states: &PoolStates, pool: usize) -> Vec<Health> {
        states.pool(pool).addresses().map(|(_, address)| address.health().health).collect()
    }

    #[test]
    fn a_target_changes_the_health_of_every_address_that_uses_it() {
        let (shared, other) = (TargetId(1), TargetId(2));
        let pools = vec![(Require::All, vec![vec![shared]]), (Require::All, vec![vec![other], vec![shared, other]])];
        let mut states = states(&[shared, other], pools);
        let at = AddressIndex { node: 0, address: 0 };
        let up = HealthTransition { pool: 0, at, is_standby: false, to: Health::Up, count: 1, result: PASSED };
        assert_eq!(observe(&mut states, shared, PASSED).transitions, [up]);
        assert_eq!(observe(&mut states, other, FAILED).transitions.len(), 2);
        assert_eq!(health(&states, 1), [Health::Down, Health::Down]);
        let second = AddressIndex { node: 1, address: 0 };
        assert_eq!(states.failure(1, second), Some(&ProbeFailure::Status(503)));
        assert_eq!(observe(&mut states, other, PASSED).transitions.len(), 2);
        assert_eq!(health(&states, 1), [Health::Up, Health::Up]);
    }

    #[test]
    fn an_address_is_up_if_the_required_number_of_monitors_find_it_up() {
        let ids = [TargetId(1), TargetId(2), TargetId(3)];
        for (require, expected) in [
            (Require::All, [Health::Unknown, Health::Down, Health::Down]),
            (Require::AtLeast(2), [Health::Unknown, Health::Unknown, Health::Up]),
            (Require::AtLeast(1), [Health::Up, Health::Up, Health::Up]),
        ] {
            let mut states = states(&ids, vec![(require, vec![ids.to_vec()])]);
            for ((id, result), expected) in ids.into_iter().zip([PASSED, FAILED, PASSED]).zip(expected) {
                observe(&mut states, id, result);
                assert_eq!(health(&states, 0), [expected], "{require:?} after {id:?}");
            }
        }
    }

    #[test]
    fn a_reload_keeps_the_order_in_which_addresses_went_down() {
        let ids = [TargetId(1), TargetId(2)];
        let pools = || vec![(Require::All, vec![vec![ids[0]], vec![ids[1]]])];
        let mut states = states(&ids, pools());
        observe(&mut states, ids[1], FAILED);
        // It goes down later, without a response, and only then gives bad responses.
        observe(&mut states, ids[0], Err(ProbeFailure::Timeout(Duration::from_secs(1))));
        replace(&mut states, pools(), &RememberedHealth::default());
        observe(&mut states, ids[0], FAILED);
        let order: Vec<_> = states.pool(0).addresses().map(|(_, a)| a.health().bad_response_seq).collect();
        assert_eq!(order, [Some(2), Some(1)]);
    }

    #[test]
    fn the_smallest_weight_percentage_counts_in_coarse_steps() {
        let ids = [TargetId(1), TargetId(2)];
        let carries = |weight_percent| Ok(ProbeSuccess { weight_percent });
        let mut states = states(&ids, vec![(Require::All, vec![ids.to_vec()])]);
        assert_eq!(observe(&mut states, ids[0], carries(41)).reweighted, [0]);
        assert_eq!(observe(&mut states, ids[0], carries(44)), ObservationEffect::default());
        assert_eq!(observe(&mut states, ids[1], carries(73)).reweighted, [0]);
        let percent: Vec<_> = states.pool(0).addresses().map(|(_, a)| a.health().weight_percent).collect();
        assert_eq!(percent, [45]);
    }

    #[test]
    fn health_survives_a_reload_until_no_pool_uses_the_target() {
        let target = TargetId(1);
        let mut states = states(&[target], vec![(Require::All, vec![vec![target]])]);
        observe(&mut states, target, PASSED);
        states.set_limits(&[Limits { target, rise: 1, fall: 3 }]);
        let pools = vec![(Require::All, vec![]), (Require::All, vec![vec![target]])];
        replace(&mut states, pools, &RememberedHealth::default());
        assert_eq!(health(&states, 1), [Health::Up]);
        replace(&mut states, vec![], &RememberedHealth::default());
        assert_eq!(observe(&mut states, target, FAILED), ObservationEffect::default());
    }

    #[test]
    fn remembered_health_counts_until_the_first_probe() {
        let target = TargetId(1);
        for (remembered, ups, downs) in [(Health::Up, 0, 1), (Health::Down, 1, 0), (Health::Unknown, 1, 1)] {
            for (result, transitions) in [(PASSED, ups), (FAILED, downs)] {
                let mut known = RememberedHealth::default();
                known.remember(&NodeId::new("p0", "n0"), [192, 0, 2, 0].into(), remembered);
                let mut states = PoolStates::default();
                states.set_limits(&[Limits { target, rise: 3, fall: 3 }]);
                replace(&mut states, vec![(Require::All, vec![vec![target]])], &known);
                assert_eq!(health(&states, 0), [remembered]);
                let effect = observe(&mut states, target, result);
                assert_eq!(
                    effect.transitions.len(),
                    transitions,
                    "{remembered}: the first result alone decides the health"
                );
            }
        }
    }

    #[test]
    fn an_address_without_monitors_is_up() {
        assert_eq!(health(&states(&[], vec![(Require::All, vec![vec![]])]), 0), [Health::Up]);
    }
}
