//! Any bytes as `overrides.json` and as `health.json`; what follows a zero byte is what operators
//! do.
//!
//! What is read is written again as something that reads the same. Operations on overrides keep
//! their laws, even if the file was edited by hand, and remembered health survives a restart.
#![no_main]

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

use evenkeel_core::actor::Actor;
use evenkeel_core::node_id::NodeId;
use evenkeel_core::overrides::{Nomination, Override, Overrides};
use evenkeel_core::pool::{ForcedState, Node, Pool, Role};
use evenkeel_core::state::{AddressTargets, Limits, PoolStates, RememberedHealth, TargetId};
use evenkeel_core::time::Now;
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Three active nodes, then three backups.
const NODES: [&str; 6] = ["a0", "a1", "a2", "b0", "b1", "b2"];

/// Most operations per input.
const MAX_STEPS: usize = 60;

fn pool() -> Pool {
    let node = |(i, name): (u8, &str)| Node {
        name: name.into(),
        addresses: vec![[192, 0, 2, i].into()],
        weight: 1,
        role: if i < 3 { Role::Active } else { Role::Backup },
    };
    Pool { has_standby_monitors: true, ..Pool::with_defaults("core", (0..).zip(NODES).map(node).collect()) }
}

/// Reads a state file, as the server does.
fn read<T: DeserializeOwned>(file: &[u8]) -> Option<T> {
    serde_json::from_slice::<(u32, T)>(file).ok().map(|(_, content)| content)
}

/// Checks that the form of state files keeps all of a value.
fn check_written<T: Debug + DeserializeOwned + PartialEq + Serialize>(value: &T) {
    let text = serde_json::to_vec_pretty(&(1, value)).expect("state can be written");
    assert_eq!(read::<T>(&text).as_ref(), Some(value));
}

fn active(overrides: &Overrides, pool: &Pool) -> Vec<String> {
    let active = pool.nodes.iter().filter(|node| overrides.admin_state(pool, node).role == Role::Active);
    active.map(|node| node.name.to_string()).collect()
}

/// What an operator does: three bytes of input.
struct Step<'p> {
    operation: u8,
    node: &'p str,
    other: &'p str,
    /// A Unix time, in seconds.
    at: u64,
}

impl<'p> Step<'p> {
    fn read(&[operation, nodes, at]: &[u8; 3]) -> Self {
        let name = |number: u8| NODES[usize::from(number) % NODES.len()];
        Self { operation: operation % 8, node: name(nodes & 0xf), other: name(nodes >> 4), at: at.into() }
    }

    /// It ends at an even moment, or never.
    fn until(&self) -> Option<u64> {
        self.at.is_multiple_of(2).then_some(self.at)
    }

    fn nomination(&self) -> Nomination {
        let (by, why) = (Actor::Operator("ops".to_owned()), String::new());
        Nomination { role: Role::Active, partner: None, by, why, at: self.at, until: self.until() }
    }

    fn carry_out(&self, overrides: &mut Overrides, pool: &Pool, is_own: bool) {
        let id = pool.id_of(self.node);
        match self.operation {
            0 => {
                let state = [ForcedState::Drain, ForcedState::Up, ForcedState::Down][usize::from(self.at as u8) % 3];
                let by = Actor::Operator("ops".to_owned());
                let forced = Override { state, by, why: "drill".to_owned(), at: self.at, until: self.until() };
                overrides.set(id.clone(), forced.clone());
                assert_eq!(overrides.get(&id), Some(&forced));
            }
            1 => {
                overrides.remove(&id);
                assert_eq!(overrides.get(&id), None);
            }
            2 => self.change_roles(overrides, pool, Some(None), is_own),
            3 => self.change_roles(overrides, pool, Some(Some(self.other)), is_own),
            4 => self.change_roles(overrides, pool, None, is_own),
            5 => check_expiry(overrides, self.at),
            6 => {
                overrides.forget(&id);
                let of_pool = overrides.nodes().filter(|other| other.pool() == id.pool());
                let mut nominations = of_pool.filter_map(|other| overrides.nomination(other));
                assert!(nominations.all(|other| other.partner.as_deref() != Some(self.node)));
                assert_eq!(overrides.nomination(&id), None);
            }
            _ => {
                overrides.note_role_change(&pool.name, self.at, Actor::AutoNomination);
                assert_eq!(overrides.last_role_change(&pool.name), Some((self.at, &Actor::AutoNomination)));
            }
        }
    }

    /// Nominates the node, with a node to replace if `nominates` has one; or demotes it.
    fn change_roles(&self, overrides: &mut Overrides, pool: &Pool, nominates: Option<Option<&str>>, is_own: bool) {
        let update = match nominates {
            Some(replaces) => overrides.nominate(pool, self.node, replaces, &self.nomination()),
            None => overrides.demote(pool, self.node),
        };
        let Ok(update) = update else { return };
        let before = active(overrides, pool);
        overrides.apply(&update);
        let after = active(overrides, pool);
        let mut expected: Vec<_> = before.iter().filter(|name| !update.backup.contains(name)).cloned().collect();
        expected.extend(update.active.iter().filter(|name| !before.contains(name)).cloned());
        expected.sort_unstable();
        assert_eq!(after, expected, "an update does what it says: {update:?}");
        let is_active = |name: &str| after.iter().any(|active| active == name);
        match nominates {
            Some(replaces) => {
                assert!(is_active(self.node), "{update:?}");
                // In a file, a node may be its own partner, and then it cannot be replaced.
                if is_own {
                    assert!(!replaces.is_some_and(is_active), "{update:?}");
                    assert_eq!(update.active, [self.node], "a nomination updates no third node");
                    assert_eq!(update.backup, Vec::from_iter(replaces), "a nomination updates no third node");
                }
            }
            None if is_own => assert_eq!(update.backup, [self.node], "{update:?}"),
            None => {}
        }
    }
}

/// Lets everything expire that has ended by a moment.
fn check_expiry(overrides: &mut Overrides, now: u64) {
    let ends = |overrides: &Overrides, id: &NodeId| {
        let forced = overrides.get(id).and_then(|forced| forced.until);
        (forced, overrides.nomination(id).and_then(|nomination| nomination.until))
    };
    let is_over = |until: Option<u64>| until.is_some_and(|until| until <= now);
    let before = overrides.clone();
    let expired = overrides.expire(now);
    for id in before.nodes() {
        let (forced, nomination) = ends(&before, id);
        assert_eq!(expired.overrides.contains(id), is_over(forced), "{id}");
        assert_eq!(expired.nominations.contains(id), is_over(nomination), "{id}");
        assert_eq!(overrides.get(id), before.get(id).filter(|_| !is_over(forced)), "{id}");
        assert_eq!(overrides.nomination(id), before.nomination(id).filter(|_| !is_over(nomination)), "{id}");
    }
    assert_eq!(overrides.expire(now), Default::default(), "nothing expires twice");
}

/// Carries out the steps. `is_own` if all nominations were made by such steps.
fn check_overrides(mut overrides: Overrides, pool: &Pool, steps: &[u8], is_own: bool) {
    for step in steps.chunks_exact(3).take(MAX_STEPS).filter_map(|step| step.first_chunk()) {
        Step::read(step).carry_out(&mut overrides, pool, is_own);
        assert!(!active(&overrides, pool).is_empty(), "at least one node is always active: {overrides:?}");
    }
    check_written(&overrides);
    assert!(overrides.descriptions().iter().all(|(_, description)| !description.is_empty()));
}

/// Starts with remembered health, and returns what would be remembered then.
fn restart(pool: &Arc<Pool>, overrides: &Overrides, remembered: &RememberedHealth, now: Now) -> RememberedHealth {
    let mut states = PoolStates::default();
    let address = |target| AddressTargets { serving: vec![TargetId(target)], standby: Vec::new() };
    let targets: Vec<_> = (0..NODES.len() as u64).map(|target| vec![address(target)]).collect();
    let limits: Vec<_> = (0..NODES.len() as u64).map(|id| Limits { target: TargetId(id), rise: 2, fall: 2 }).collect();
    states.set_limits(&limits);
    states.replace(vec![(Arc::clone(pool), targets)], remembered, now);
    states.decide(0, overrides, now, &mut fastrand::Rng::with_seed(1));
    states.take_over_idle_times(0, None, overrides, now);
    assert_eq!(states.status(overrides, now).len(), 1);
    states.remember()
}

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |&byte| byte == 0);
    let (file, steps) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let pool = Arc::new(pool());
    let overrides = read::<Overrides>(file).unwrap_or_default();
    check_written(&overrides);
    assert!(!active(&overrides, &pool).is_empty(), "at least one node is always active: {overrides:?}");
    check_overrides(overrides.clone(), &pool, steps, false);
    check_overrides(Overrides::default(), &pool, steps, true);
    if let Some(remembered) = read::<RememberedHealth>(file) {
        check_written(&remembered);
        let now = Now { instant: Instant::now(), unix: remembered.at };
        let known = restart(&pool, &overrides, &remembered, now);
        assert!(restart(&pool, &overrides, &known, now).is_same(&known), "{known:?}");
    }
});
