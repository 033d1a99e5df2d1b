//! The server, as far as it decides: it carries out the steps of a history.

use std::time::{Duration, Instant};

use evenkeel_core::actor::Actor;
use evenkeel_core::health::{Health, ProbeFailure, ProbeNotRun, ProbeResult, ProbeSuccess};
use evenkeel_core::overrides::{Nomination, Override, Overrides};
use evenkeel_core::pool::{Pool, PoolView, Role, SelectionTier, Verdict};
use evenkeel_core::state::{
    AddressIndex, HealthTransition, Limits, Observation, PoolState, PoolStates, RememberedHealth, StateChange, TargetId,
};
use evenkeel_core::status::PoolStatus;
use evenkeel_core::time::Now;

use super::laws::{check_moment, check_nominees};
use super::world::{At, NODES, POOLS, Step, World, serving_target, standby_target};

/// Unix time at which the wall clock starts, in seconds.
const START: u64 = 1_000_000;

/// Carries out a history, and checks the laws after every step.
pub fn check_history(world: &World) {
    let mut server = Server::start(world);
    for &step in &world.steps {
        let before = server.outcomes.clone();
        server.carry_out(step);
        let changes = server.decide();
        if !matches!(step, Step::Change | Step::Restart) {
            check_changes(&before, &server.outcomes, &changes);
        }
        if let Step::Reload = step {
            assert_eq!(server.outcomes, before, "a reload of the same configuration changes nothing");
        }
    }
}

/// What a decision sets, per pool.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    tier: SelectionTier,
    verdicts: Vec<Verdict>,
    idle_from: Vec<Option<u64>>,
}

impl Outcome {
    fn of((state, status): (&PoolState, &PoolStatus)) -> Self {
        Self {
            tier: state.tier(),
            verdicts: state.addresses().map(|(_, address)| address.verdict()).collect(),
            idle_from: status.nodes.iter().map(|node| node.idle_from).collect(),
        }
    }
}

/// Checks that exactly the changes were reported.
fn check_changes(before: &[Outcome], after: &[Outcome], changes: &[Vec<StateChange>]) {
    for ((before, after), changes) in before.iter().zip(after).zip(changes) {
        let mut expected = Vec::new();
        for (node, (was, is)) in before.verdicts.iter().zip(&after.verdicts).enumerate() {
            let at = AddressIndex { node, address: 0 };
            match (was, is) {
                (Verdict::EjectionCapped, Verdict::EjectionCapped) => {}
                (_, Verdict::EjectionCapped) => expected.push(StateChange::EjectionCapped(at)),
                (Verdict::EjectionCapped, Verdict::Down) => expected.push(StateChange::Ejected(at)),
                _ => {}
            }
        }
        expected.extend((before.tier != after.tier).then_some(StateChange::Tier));
        assert_eq!(changes, &expected, "{before:?} {after:?}");
    }
}

/// The state of the server.
struct Server<'w> {
    world: &'w World,
    /// Which of the two configurations is served.
    configuration: usize,
    states: PoolStates,
    overrides: Overrides,
    /// From before the process started.
    remembered: RememberedHealth,
    now: Now,
    /// Of the latest decisions.
    outcomes: Vec<Outcome>,
}

impl<'w> Server<'w> {
    fn start(world: &'w World) -> Self {
        let now = Now { instant: Instant::now(), unix: START };
        let (states, overrides, remembered) = Default::default();
        let mut server = Self { world, configuration: 0, states, overrides, remembered, now, outcomes: Vec::new() };
        server.load();
        server.decide();
        server
    }

    /// Loads the current configuration. Returns what the first decision reports, per pool.
    fn load(&mut self) -> Vec<Vec<StateChange>> {
        let (rise, fall) = self.world.rise_and_fall;
        let limits: Vec<_> = (0..2 * NODES as u64).map(|id| Limits { target: TargetId(id), rise, fall }).collect();
        self.states.set_limits(&limits);
        let shapes = &self.world.shapes[self.configuration];
        let pools = shapes.iter().enumerate().map(|(pool, shape)| (shape.pool(pool), shape.targets())).collect();
        let previous = self.states.replace(pools, &self.remembered, self.now);
        let changes = self.decide();
        for pool in 0..POOLS {
            let previous = previous.get(&self.pool(pool).name);
            self.states.take_over_idle_times(pool, previous, &self.overrides, self.now);
        }
        changes
    }

    fn pool(&self, pool: usize) -> &Pool {
        self.states.pool(pool).pool()
    }

    /// Decides every pool, and checks what follows. Returns what has changed, per pool.
    fn decide(&mut self) -> Vec<Vec<StateChange>> {
        let mut rng = fastrand::Rng::with_seed(7);
        let decide = |pool| self.states.decide(pool, &self.overrides, self.now, &mut rng);
        let (views, changes): (Vec<PoolView>, Vec<_>) = (0..POOLS).map(decide).unzip();
        let statuses = self.states.status(&self.overrides, self.now);
        for (pool, (view, status)) in views.iter().zip(&statuses).enumerate() {
            check_moment(self.states.pool(pool), view, status);
        }
        check_nominees(&self.states, &statuses, self.now);
        self.outcomes = self.states.pools().iter().zip(&statuses).map(Outcome::of).collect();
        changes
    }

    /// Health of every address, and its standby health if it is probed.
    fn healths(&self) -> Vec<(usize, AddressIndex, Health, Option<Health>)> {
        let of_pool = |pool: usize| {
            self.states.pool(pool).addresses().map(move |(at, address)| {
                let standby = (!address.targets().standby.is_empty()).then_some(address.health().standby);
                (pool, at, address.health().health, standby)
            })
        };
        (0..POOLS).flat_map(of_pool).collect()
    }

    /// Hands in a result, and checks that exactly the changes of health are reported.
    fn observe(&mut self, target: TargetId, result: ProbeResult) {
        let before = self.healths();
        let effect = self.states.observe(Observation { target, monitor: "m".into(), result });
        let mut expected = Vec::new();
        for (was, is) in before.iter().zip(self.healths()) {
            if was.2 != is.2 {
                expected.push((is.0, is.1, false, is.2));
            }
            if let Some(standby) = is.3.filter(|_| was.3 != is.3) {
                expected.push((is.0, is.1, true, standby));
            }
        }
        let reported =
            |transition: &HealthTransition| (transition.pool, transition.at, transition.is_standby, transition.to);
        assert_eq!(effect.transitions.iter().map(reported).collect::<Vec<_>>(), expected);
    }

    fn carry_out(&mut self, step: Step) {
        let failed = || Err(ProbeFailure::Status(503));
        match step {
            Step::Pass(node, weight_percent) => self.observe(serving_target(node), Ok(ProbeSuccess { weight_percent })),
            Step::BadResponse(node) => self.observe(serving_target(node), failed()),
            Step::Refuse(node) => {
                self.observe(serving_target(node), Err(ProbeFailure::Connection("refused".to_owned())));
            }
            Step::Standby(node, true) => self.observe(standby_target(node), Ok(ProbeSuccess::FULL_WEIGHT)),
            Step::Standby(node, false) => self.observe(standby_target(node), failed()),
            Step::NotRun(node) => {
                self.states.set_not_run(serving_target(node), ProbeNotRun("no files left".to_owned()));
            }
            Step::Reload => {
                let changes = self.load();
                assert!(changes.iter().all(Vec::is_empty), "the same configuration reports nothing: {changes:?}");
            }
            Step::Change => {
                self.configuration = 1 - self.configuration;
                self.load();
            }
            Step::Restart => {
                self.remembered = self.states.remember();
                self.states = PoolStates::default();
                self.load();
            }
            Step::Wait(millis) => {
                self.now.instant += Duration::from_millis(millis);
                self.now.unix += millis / 1000;
                self.overrides.expire(self.now.unix);
            }
            Step::SetBack(seconds) => self.now.unix -= seconds,
            _ => self.operate(step),
        }
    }

    /// What operators do, and the server in their place.
    fn operate(&mut self, step: Step) {
        let by = Actor::Operator("ops".to_owned());
        let id = |at: At| self.pool(at.pool).id_of(&self.pool(at.pool).nodes[at.node].name);
        match step {
            Step::Force(at, state, seconds) => {
                let until = seconds.map(|seconds| self.now.unix + seconds);
                let forced = Override { state, by, why: String::new(), at: self.now.unix, until };
                self.overrides.set(id(at), forced);
            }
            Step::Resume(at) => self.overrides.remove(&id(at)),
            Step::Nominate(at, replaces, seconds) => {
                let until = seconds.map(|seconds| self.now.unix + seconds);
                let name = |node: usize| format!("n{node}");
                self.nominate(at.pool, &name(at.node), replaces.map(name).as_deref(), by, until);
            }
            Step::Demote(at) => {
                let update = self.overrides.demote(self.pool(at.pool), &format!("n{}", at.node));
                // A change of roles that is not possible does not happen.
                if let Ok(update) = update {
                    self.overrides.apply(&update);
                }
            }
            Step::Forget(at) => self.overrides.forget(&id(at)),
            Step::AutoNominate => {
                for nominees in self.states.nominees(self.now) {
                    let pool = (0..POOLS).find(|&pool| self.pool(pool).name == nominees.pool).expect("a pool");
                    let best = nominees.promoted.iter().chain(&nominees.standby_up).next().expect("a nominee");
                    self.nominate(pool, best, Some(&nominees.replaces), Actor::AutoNomination, None);
                }
            }
            other => unreachable!("{other:?} is carried out above"),
        }
    }

    fn nominate(&mut self, pool: usize, node: &str, replaces: Option<&str>, by: Actor, until: Option<u64>) {
        let nomination =
            Nomination { role: Role::Active, partner: None, by, why: String::new(), at: self.now.unix, until };
        if let Ok(update) = self.overrides.nominate(self.pool(pool), node, replaces, &nomination) {
            self.overrides.apply(&update);
        }
    }
}
