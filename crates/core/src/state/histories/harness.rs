//! The pool of a history, its steps, and what is known after each step.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::actor::Actor;
use crate::health::{AddressHealth, Health, ProbeFailure, ProbeResult, ProbeSuccess};
use crate::overrides::{Nomination, Override, Overrides};
use crate::pool::{AdminState, ForcedState, Node, NodeCount, Pool, PoolView, Role, Verdict};
use crate::state::{
    AddressTargets, Limits, NodeState, Observation, PoolStates, RememberedHealth, StateChange, TargetId,
};
use crate::time::Now;

/// Nodes of the pool; the last of them are backups.
pub(super) const NODES: usize = 8;

/// The time in which a role settles, in seconds. Some steps advance the clocks by less, some by
/// more.
pub(super) const SETTLE_SECONDS: u64 = 4;

/// A step of a history. Most steps are about one node.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A probe succeeds.
    Succeed,
    /// A probe gets a bad response.
    BadResponse,
    /// A probe gets no connection.
    Refuse,
    /// A standby probe succeeds or fails.
    Standby(bool),
    /// An operator sets an override.
    Force(ForcedState),
    /// An operator removes the override.
    Resume,
    /// An operator nominates the node, perhaps in the place of another one.
    Nominate(Option<usize>),
    /// An operator demotes the node.
    Demote,
    /// The configuration is loaded again, without a change.
    Reload,
    /// This many seconds pass.
    Advance(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Succeed),
        3 => Just(Step::BadResponse),
        3 => Just(Step::Refuse),
        2 => any::<bool>().prop_map(Step::Standby),
        1 => prop_oneof![Just(ForcedState::Drain), Just(ForcedState::Up), Just(ForcedState::Down)].prop_map(Step::Force),
        1 => Just(Step::Resume),
        1 => prop::option::of(0..NODES).prop_map(Step::Nominate),
        1 => Just(Step::Demote),
        1 => Just(Step::Reload),
        2 => (0..=6_u64).prop_map(Step::Advance),
    ]
}

/// A pool and its history.
#[derive(Clone, Debug)]
pub(super) struct World {
    backups: usize,
    pub(super) min_available: usize,
    max_ejected: NodeCount,
    pub(super) has_standby: bool,
    /// Each step with its node.
    pub(super) steps: Vec<(usize, Step)>,
}

pub(super) fn any_world() -> impl Strategy<Value = World> {
    let max_ejected = prop_oneof![(0..=4_usize).prop_map(NodeCount::Count), (0..=100_u8).prop_map(NodeCount::Percent)];
    let steps = prop::collection::vec((0..NODES, any_step()), 1..120);
    (0..4_usize, 1..4_usize, max_ejected, any::<bool>(), steps).prop_map(
        |(backups, min_available, max_ejected, has_standby, steps)| World {
            backups,
            min_available,
            max_ejected,
            has_standby,
            steps,
        },
    )
}

impl World {
    fn pool(&self) -> Arc<Pool> {
        let node = |i| Node {
            name: format!("n{i}").into(),
            addresses: vec![IpAddr::from([10, 0, 0, i as u8])],
            weight: 1,
            role: if i >= NODES - self.backups { Role::Backup } else { Role::Active },
        };
        Arc::new(Pool {
            has_standby_monitors: self.has_standby,
            role_settle_time: Duration::from_secs(SETTLE_SECONDS),
            min_available: NodeCount::Count(self.min_available),
            max_ejected: self.max_ejected,
            ..Pool::with_defaults("core", (0..NODES).map(node).collect())
        })
    }

    /// A target per node, and a standby target per node.
    fn targets(&self) -> Vec<Vec<AddressTargets>> {
        let address = |i: u64| AddressTargets {
            serving: vec![TargetId(i)],
            standby: if self.has_standby { vec![TargetId(NODES as u64 + i)] } else { Vec::new() },
        };
        (0..NODES as u64).map(|i| vec![address(i)]).collect()
    }
}

/// The pool after a step and its decision.
pub(super) struct Moment {
    pub(super) nodes: Vec<NodeMoment>,
    /// Indices of the nodes that are answered, sorted.
    pub(super) answered: Vec<usize>,
    /// Changes that the decision reported.
    pub(super) changes: Vec<StateChange>,
    pub(super) max_ejected: usize,
    /// The state says that a role is settling.
    pub(super) is_settling: bool,
}

/// A node after a step and its decision.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeMoment {
    pub(super) configured_role: Role,
    pub(super) admin: AdminState,
    pub(super) observed: AddressHealth,
    /// The observed health, unknown if it is stale.
    pub(super) believed: Health,
    pub(super) verdict: Verdict,
    /// Its role has not changed for the settle time, by the account of the test.
    pub(super) has_settled: bool,
}

/// The state of the pool, with its overrides and the present moment.
pub(super) struct Harness {
    world: World,
    states: PoolStates,
    overrides: Overrides,
    now: Now,
    /// For each node, its role and the second of its latest change, if any.
    roles: Vec<(Role, Option<u64>)>,
}

impl Harness {
    pub(super) fn new(world: World) -> Self {
        let mut states = PoolStates::default();
        let limits: Vec<_> =
            (0..2 * NODES as u64).map(|id| Limits { target: TargetId(id), rise: 2, fall: 2 }).collect();
        states.set_limits(&limits);
        let now = Now { instant: Instant::now(), unix: 0 };
        let roles = world.pool().nodes.iter().map(|node| (node.role, None)).collect();
        let mut harness = Self { world, states, overrides: Overrides::default(), now, roles };
        harness.load();
        harness
    }

    /// Loads the configuration.
    fn load(&mut self) {
        let pools = vec![(self.world.pool(), self.world.targets())];
        self.states.replace(pools, &RememberedHealth::default(), self.now);
    }

    /// Advances both clocks.
    fn advance(&mut self, seconds: u64) {
        self.now.instant += Duration::from_secs(seconds);
        self.now.unix += seconds;
    }

    /// Decides which addresses are eligible, as the publisher does after each change, and returns
    /// the result.
    pub(super) fn decide(&mut self) -> Moment {
        let (view, changes) = self.states.decide(0, &self.overrides, self.now, &mut fastrand::Rng::with_seed(7));
        let (state, now) = (self.states.pool(0), self.now.unix);
        let moment = |((configured, node), (role, since)): ((&Node, &NodeState), &mut (Role, Option<u64>))| {
            if *role != node.admin().role {
                (*role, *since) = (node.admin().role, Some(now));
            }
            let [address] = node.addresses() else { panic!("each node has one address") };
            NodeMoment {
                configured_role: configured.role,
                admin: node.admin(),
                observed: address.health(),
                believed: node.believed_health(address),
                verdict: address.verdict(),
                has_settled: since.is_none_or(|since| now - since >= SETTLE_SECONDS),
            }
        };
        Moment {
            nodes: state.nodes().zip(&mut self.roles).map(moment).collect(),
            answered: answered(&view),
            changes,
            max_ejected: state.max_ejected(),
            is_settling: state.is_settling(self.now),
        }
    }

    fn observe(&mut self, target: u64, result: ProbeResult) {
        self.states.observe(Observation { target: TargetId(target), monitor: "m".into(), result });
    }

    /// Carries out a step.
    pub(super) fn carry_out(&mut self, node: usize, step: Step) {
        let pool = self.world.pool();
        let (name, id) = (&pool.nodes[node].name, pool.id_of(&pool.nodes[node].name));
        let (by, why, at) = (Actor::Operator("ops".to_owned()), String::new(), self.now.unix);
        let (target, standby) = (node as u64, (NODES + node) as u64);
        let update = match step {
            Step::Succeed => return self.observe(target, Ok(ProbeSuccess::FULL_WEIGHT)),
            Step::BadResponse => return self.observe(target, Err(ProbeFailure::Status(503))),
            Step::Refuse => return self.observe(target, Err(ProbeFailure::Connection("refused".to_owned()))),
            Step::Standby(true) => return self.observe(standby, Ok(ProbeSuccess::FULL_WEIGHT)),
            Step::Standby(false) => return self.observe(standby, Err(ProbeFailure::Status(503))),
            Step::Force(state) => return self.overrides.set(id, Override { state, by, why, at, until: None }),
            Step::Resume => return self.overrides.remove(&id),
            Step::Nominate(replaces) => {
                let nomination = Nomination { role: Role::Active, partner: None, by, why, at, until: None };
                let replaces = replaces.map(|other| &*pool.nodes[other].name);
                self.overrides.nominate(&pool, name, replaces, &nomination)
            }
            Step::Demote => self.overrides.demote(&pool, name),
            Step::Reload => return self.load(),
            Step::Advance(seconds) => return self.advance(seconds),
        };
        // A change of roles that is not possible changes nothing.
        if let Ok(update) = update {
            self.overrides.apply(&update);
        }
    }
}

/// Indices of the nodes whose addresses can be drawn: the last octets.
fn answered(view: &PoolView) -> Vec<usize> {
    let PoolView::Addresses { v4, .. } = view else { return Vec::new() };
    let mut nodes: Vec<_> =
        v4.draw(99, &mut fastrand::Rng::with_seed(1)).iter().map(|pick| usize::from(pick.address[3])).collect();
    nodes.sort_unstable();
    nodes
}
