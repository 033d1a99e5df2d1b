//! Laws over random histories: probes that pass and fail, overrides that are set and removed, roles that change.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{AddressTargets, Limits, Observation, PoolStates, RememberedHealth, TargetId};
use crate::actor::Actor;
use crate::health::{Health, ProbeFailure, ProbeResult, ProbeSuccess};
use crate::overrides::{Nomination, Override, Overrides};
use crate::pool::{ForcedState, Node, NodeCount, Pool, PoolView, Role, Verdict};
use crate::time::Now;

/// Nodes of a pool; the last of them are backups.
const NODES: usize = 8;

/// Something that happens to a node.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A probe of it passes.
    Pass,
    /// A probe of it gets a bad response.
    BadResponse,
    /// It refuses the connection.
    Refuse,
    /// A standby probe of it passes, or not.
    Standby(bool),
    Force(ForcedState),
    Resume,
    /// It is nominated, perhaps in the place of another node.
    Nominate(Option<usize>),
    Unregister,
    /// The configuration is read again.
    Reload,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Pass),
        3 => Just(Step::BadResponse),
        3 => Just(Step::Refuse),
        1 => any::<bool>().prop_map(Step::Standby),
        1 => prop_oneof![Just(ForcedState::Drain), Just(ForcedState::Up), Just(ForcedState::Down)].prop_map(Step::Force),
        1 => Just(Step::Resume),
        1 => prop::option::of(0..NODES).prop_map(Step::Nominate),
        1 => Just(Step::Unregister),
        1 => Just(Step::Reload),
    ]
}

/// A pool and its history.
#[derive(Clone, Debug)]
struct World {
    backups: usize,
    min_available: usize,
    max_ejected: NodeCount,
    has_standby: bool,
    steps: Vec<(usize, Step)>,
}

fn any_world() -> impl Strategy<Value = World> {
    let most = prop_oneof![(0..=4_usize).prop_map(NodeCount::Count), (0..=100_u8).prop_map(NodeCount::Percent)];
    let steps = prop::collection::vec((0..NODES, any_step()), 1..120);
    (0..4_usize, 1..4_usize, most, any::<bool>(), steps).prop_map(
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
            role_settle_time: Duration::from_secs(4),
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

/// The server, as far as it decides.
struct Bench {
    world: World,
    states: PoolStates,
    overrides: Overrides,
    now: Now,
}

impl Bench {
    fn new(world: World) -> Self {
        let mut states = PoolStates::default();
        let limits: Vec<_> =
            (0..2 * NODES as u64).map(|id| Limits { target: TargetId(id), rise: 2, fall: 2 }).collect();
        states.set_limits(&limits);
        let now = Now { instant: Instant::now(), unix: 0 };
        let mut bench = Self { world, states, overrides: Overrides::default(), now };
        bench.load();
        bench
    }

    /// What loading a configuration does.
    fn load(&mut self) {
        let pools = vec![(self.world.pool(), self.world.targets())];
        self.states.replace(pools, &RememberedHealth::default(), self.now);
    }

    fn verdicts(&self) -> Vec<Verdict> {
        self.states.pool(0).addresses().map(|(_, address)| address.verdict()).collect()
    }

    fn observe(&mut self, target: u64, result: ProbeResult) {
        self.states.observe(Observation { target: TargetId(target), monitor: "m".into(), result });
    }

    /// One step of a history.
    fn happen(&mut self, node: usize, step: Step) {
        let pool = self.world.pool();
        let (name, id) = (&pool.nodes[node].name, pool.id_of(&pool.nodes[node].name));
        let (by, why) = (Actor::Operator("ops".to_owned()), String::new());
        let (target, standby) = (node as u64, (NODES + node) as u64);
        let update = match step {
            Step::Pass => return self.observe(target, Ok(ProbeSuccess::FULL_WEIGHT)),
            Step::BadResponse => return self.observe(target, Err(ProbeFailure::Status(503))),
            Step::Refuse => return self.observe(target, Err(ProbeFailure::Connection("refused".to_owned()))),
            Step::Standby(true) => return self.observe(standby, Ok(ProbeSuccess::FULL_WEIGHT)),
            Step::Standby(false) => return self.observe(standby, Err(ProbeFailure::Status(503))),
            Step::Force(state) => return self.overrides.set(id, Override { state, by, why, at: 0, until: None }),
            Step::Resume => return self.overrides.remove(&id),
            Step::Nominate(replaces) => {
                let nomination = Nomination { role: Role::Active, partner: None, by, why, at: 0, until: None };
                let replaces = replaces.map(|other| &*pool.nodes[other].name);
                self.overrides.nominate(&pool, name, replaces, &nomination)
            }
            Step::Unregister => self.overrides.unregister(&pool, name),
            Step::Reload => return self.load(),
        };
        // A change of roles that is not possible does not happen.
        if let Ok(update) = update {
            self.overrides.apply(&update);
        }
    }
}

/// Last octets of the addresses that are answered.
fn answered(view: &PoolView) -> Vec<usize> {
    let PoolView::Addresses { v4, .. } = view else { return Vec::new() };
    let mut nodes: Vec<_> =
        v4.draw(99, &mut fastrand::Rng::with_seed(1)).iter().map(|pick| usize::from(pick.address[3])).collect();
    nodes.sort_unstable();
    nodes
}

proptest! {
    #[test]
    fn every_moment_of_a_history_is_lawful(world in any_world()) {
        let pool = world.pool();
        let mut bench = Bench::new(world.clone());
        bench.states.decide(0, &bench.overrides, bench.now, &mut fastrand::Rng::with_seed(7));
        for &(node, step) in &world.steps {
            let before = bench.verdicts();
            bench.happen(node, step);
            let (view, changes) = bench.states.decide(0, &bench.overrides, bench.now, &mut fastrand::Rng::with_seed(7));
            let verdicts = bench.verdicts();
            let answered = answered(&view);
            if let Step::Reload = step {
                prop_assert_eq!(&verdicts, &before, "a reload of the same configuration changes nothing");
                prop_assert!(changes.is_empty(), "and reports nothing: {:?}", changes);
            }
            let state = bench.states.pool(0);
            let nodes: Vec<_> = state.nodes().map(|(_, node)| node).collect();
            let forced = |i: usize| nodes[i].admin().forced;
            let health = |i: usize| nodes[i].believed_health(&nodes[i].addresses()[0]);
            let is_held = |i: usize| nodes[i].admin().is_held_out();
            let is_up = |i: usize| {
                forced(i) == Some(ForcedState::Up) || forced(i).is_none() && health(i) == Health::Up
            };
            let is_active = |i: usize| nodes[i].admin().role == Role::Active;
            let eligible: Vec<usize> = (0..NODES).filter(|&i| verdicts[i].is_eligible()).collect();
            prop_assert_eq!(&answered, &eligible, "exactly the eligible nodes are answered");
            prop_assert!((0..NODES).any(is_active), "at least one node is always active");
            prop_assert!(!answered.iter().any(|&i| is_held(i)), "no node is answered that an operator holds out");
            let up: Vec<usize> = (0..NODES).filter(|&i| is_up(i) && is_active(i)).collect();
            prop_assert!(up.iter().all(|i| answered.contains(i)), "every active node that is up is answered");
            let is_needed = up.len() < world.min_available;
            for i in (0..NODES).filter(|&i| is_up(i) && !is_active(i)) {
                prop_assert_eq!(answered.contains(&i), is_needed, "backups are answered when needed: {}", i);
            }
            let refuses = |i: usize| world.has_standby && !nodes[i].admin().has_served && !is_up(i);
            // Nodes with bad responses and without an override.
            let is_bad = |i: usize| {
                forced(i).is_none() && nodes[i].addresses()[0].health().bad_response_seq.is_some()
            };
            let bad = |&i: &usize| is_active(i) && is_bad(i) && !refuses(i);
            let (capped, ejected): (Vec<usize>, Vec<usize>) =
                (0..NODES).filter(bad).partition(|i| answered.contains(i));
            if !up.is_empty() {
                let most = state.max_ejected();
                prop_assert!(ejected.len() <= most, "at most max_ejected nodes are out");
                prop_assert!(capped.is_empty() || ejected.len() == most, "and no ejection is capped before that");
                let others = answered.iter().filter(|&&i| !is_up(i));
                prop_assert!(others.eq(capped.iter()), "no other node is answered beside one that is up");
            } else if (0..NODES).any(is_up) {
                prop_assert!(answered.iter().all(|&i| is_up(i)), "only backups that are up");
            }
            // A backup that has not served refuses work, whatever the state of the other nodes.
            let yields = |i: usize| pool.nodes[i].role == Role::Backup || !up.is_empty();
            prop_assert!(!answered.iter().any(|&i| refuses(i) && yields(i)), "no backup is answered before it serves");
            // A replaced node is better than none while its successor has not served.
            let has_hope = |i: usize| {
                let was_active = pool.nodes[i].role == Role::Active && health(i) == Health::Down;
                !is_held(i) && (is_active(i) && !refuses(i) || was_active)
            };
            prop_assert!(!answered.is_empty() || !(0..NODES).any(has_hope), "a pool that fails open has an answer");
        }
    }
}
