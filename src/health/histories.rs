//! Laws over random histories: probes that pass and fail, operators who say and take back, roles that change.

use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;

use super::probe::{Failure, Passed};
use super::served::Served;
use super::table::{Earlier, NewPool, SlotTargets, Table, TargetId};
use super::{Health, Kind, Monitor, Require};
use crate::overrides::{Nomination, Override, Overrides, full_name};
use crate::pool::{Amount, Node, Pool, PoolView, Role, Word};

/// Nodes of a pool; the last of them are backups.
const NODES: usize = 8;

/// Something that happens to a node.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A probe of it passes.
    Pass,
    /// It answers badly.
    AnswerBadly,
    /// It refuses the connection.
    Refuse,
    /// A probe of it as a spare passes, or not.
    Standby(bool),
    Say(Word),
    TakeBack,
    /// It is nominated, perhaps in the place of another node.
    Nominate(Option<usize>),
    Unregister,
    /// The configuration is read again.
    Reload,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Pass),
        3 => Just(Step::AnswerBadly),
        3 => Just(Step::Refuse),
        1 => any::<bool>().prop_map(Step::Standby),
        1 => prop_oneof![Just(Word::Drain), Just(Word::Up), Just(Word::Down)].prop_map(Step::Say),
        1 => Just(Step::TakeBack),
        1 => prop::option::of(0..NODES).prop_map(Step::Nominate),
        1 => Just(Step::Unregister),
        1 => Just(Step::Reload),
    ]
}

/// What history is made of.
#[derive(Clone, Debug)]
struct World {
    backups: usize,
    least: usize,
    most_ejected: Amount,
    has_standby: bool,
    steps: Vec<(usize, Step)>,
}

fn any_world() -> impl Strategy<Value = World> {
    let most = prop_oneof![(0..=4_usize).prop_map(Amount::Count), (0..=100_u8).prop_map(Amount::Percent)];
    let steps = prop::collection::vec((0..NODES, any_step()), 1..120);
    (0..4_usize, 1..4_usize, most, any::<bool>(), steps).prop_map(
        |(backups, least, most_ejected, has_standby, steps)| World { backups, least, most_ejected, has_standby, steps },
    )
}

impl World {
    fn pool(&self) -> Pool {
        let monitor = |name: &str| {
            let second = std::time::Duration::from_secs(1);
            let name = name.into();
            Arc::new(Monitor { name, kind: Kind::Ping, interval: second, timeout: second, rise: 2, fall: 2 })
        };
        let node = |i| Node {
            name: format!("n{i}").into(),
            addresses: vec![IpAddr::from([10, 0, 0, i as u8])],
            weight: 1,
            role: if i >= NODES - self.backups { Role::Backup } else { Role::Active },
        };
        Pool {
            monitors: vec![monitor("serving")],
            standby_monitors: if self.has_standby { vec![monitor("standby")] } else { Vec::new() },
            min_available: Amount::Count(self.least),
            max_ejected: self.most_ejected,
            ..Pool::of("core", (0..NODES).map(node).collect())
        }
    }

    /// A target for each node, and one for each as a spare.
    fn table(&self) -> Table {
        let mut table = Table::default();
        (0..2 * NODES as u64).for_each(|id| table.set_limits(TargetId(id), 2, 2));
        let unknown = |_| Earlier { health: Health::Unknown, fell: 0 };
        table.adopt(vec![self.new_pool((0..NODES).map(unknown).collect())]);
        table
    }

    fn new_pool(&self, earlier: Vec<Earlier>) -> NewPool {
        let slot = |i: u64| SlotTargets {
            serving: vec![TargetId(i)],
            standby: if self.has_standby { vec![TargetId(NODES as u64 + i)] } else { Vec::new() },
        };
        NewPool { require: Require::All, slots: (0..NODES as u64).map(slot).collect(), earlier }
    }

    /// What a reload does to a pool that stays as it is.
    fn reload(&self, served: Served, table: &mut Table) -> Served {
        let pool = served.pool.clone();
        let (_, before) = served.remembered(&table.pool(0));
        let earlier = |at| Earlier { health: Health::Unknown, fell: before.fell(&pool, at) };
        table.adopt(vec![self.new_pool(pool.slots().map(earlier).collect())]);
        Served::new(pool, Some(&before), |_| false)
    }
}

/// One step of a history.
fn happen(pool: &Pool, table: &mut Table, overrides: &mut Overrides, node: usize, step: Step) {
    let (name, target) = (&pool.nodes[node].name, TargetId(node as u64));
    let full = full_name(&pool.name, name);
    let (by, why) = ("ops".to_owned(), String::new());
    let change = match step {
        Step::Pass => return drop(table.observe(target, Ok(Passed::FULLY))),
        Step::AnswerBadly => return drop(table.observe(target, Err(Failure::Status(503)))),
        Step::Refuse => return drop(table.observe(target, Err(Failure::Connection("refused".to_owned())))),
        Step::Standby(passes) => {
            let result = if passes { Ok(Passed::FULLY) } else { Err(Failure::Status(503)) };
            return drop(table.observe(TargetId(NODES as u64 + node as u64), result));
        }
        Step::Say(word) => return overrides.set(&full, Some(Override { word, by, why, at: 0, until: None })),
        Step::TakeBack => return overrides.set(&full, None),
        Step::Nominate(replaces) => {
            let said = Nomination { role: Role::Active, partner: None, by, why, at: 0, until: None };
            overrides.nominate(pool, name, replaces.map(|other| &*pool.nodes[other].name), &said)
        }
        Step::Unregister => overrides.unregister(pool, name),
        Step::Reload => return,
    };
    // What is not possible does not happen.
    if let Ok(change) = change {
        overrides.apply(&change);
    }
}

/// Last octets of what is answered.
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
        let (pool, mut table) = (world.pool(), world.table());
        let mut overrides = Overrides::default();
        let mut served = Served::new(pool.clone(), None, |_| false);
        served.decide(&table.pool(0), &overrides, &mut fastrand::Rng::with_seed(7));
        for &(node, step) in &world.steps {
            let before = served.verdicts.clone();
            if let Step::Reload = step {
                served = world.reload(served, &mut table);
            } else {
                happen(&pool, &mut table, &mut overrides, node, step);
            }
            let standings = table.pool(0);
            let mut rng = fastrand::Rng::with_seed(7);
            let (view, turns) = served.decide(&standings, &overrides, &mut rng);
            let standings = served.believed(standings);
            let answered = answered(&view);
            if let Step::Reload = step {
                prop_assert_eq!(&served.verdicts, &before, "a reload that changes nothing changes nothing");
                prop_assert!(turns.is_empty(), "and tells nothing: {:?}", turns);
            }
            let said = &served.said;
            let word = |i: usize| said[i].word;
            let is_held = |i: usize| matches!(word(i), Some(Word::Drain | Word::Down));
            let is_up = |i: usize| word(i) == Some(Word::Up) || word(i).is_none() && standings[i].health == Health::Up;
            let is_active = |i: usize| said[i].role == Role::Active;
            let eligible: Vec<usize> = (0..NODES).filter(|&i| served.verdicts[i].is_eligible()).collect();
            prop_assert_eq!(&answered, &eligible, "verdicts are what is answered");
            prop_assert!((0..NODES).any(is_active), "somebody is always active");
            prop_assert!(!answered.iter().any(|&i| is_held(i)), "nobody is answered whom an operator holds out");
            let up: Vec<usize> = (0..NODES).filter(|&i| is_up(i) && is_active(i)).collect();
            prop_assert!(up.iter().all(|i| answered.contains(i)), "every active node that is up is answered");
            let is_needed = up.len() < world.least;
            for i in (0..NODES).filter(|&i| is_up(i) && !is_active(i)) {
                prop_assert_eq!(answered.contains(&i), is_needed, "backups are answered when needed: {}", i);
            }
            let refuses = |i: usize| world.has_standby && !said[i].has_served && !is_up(i);
            // Nodes that answer badly, and whom nobody speaks for or against.
            let is_bad = |i: usize| word(i).is_none() && standings[i].answers_badly.is_some();
            let bad = |&i: &usize| is_active(i) && is_bad(i) && !refuses(i);
            let (kept, ejected): (Vec<usize>, Vec<usize>) = (0..NODES).filter(bad).partition(|i| answered.contains(i));
            if !up.is_empty() {
                let most = pool.most_ejected(said);
                prop_assert!(ejected.len() <= most, "no more are out than may be");
                prop_assert!(kept.is_empty() || ejected.len() == most, "and nobody is kept before");
                let others = answered.iter().filter(|&&i| !is_up(i));
                prop_assert!(others.eq(kept.iter()), "nobody else is answered beside somebody who is up");
            } else if (0..NODES).any(is_up) {
                prop_assert!(answered.iter().all(|&i| is_up(i)), "nobody who is not up beside a backup that is");
            }
            // A spare that has yet to serve refuses work, whatever becomes of the others.
            let yields = |i: usize| pool.nodes[i].role == Role::Backup || !up.is_empty();
            prop_assert!(!answered.iter().any(|&i| refuses(i) && yields(i)), "no spare is answered before it serves");
            // One that was replaced is better than nobody while its successor has yet to serve.
            let has_hope = |i: usize| {
                let was_active = pool.nodes[i].role == Role::Active && standings[i].health == Health::Down;
                !is_held(i) && (is_active(i) && !refuses(i) || was_active)
            };
            prop_assert!(!answered.is_empty() || !(0..NODES).any(has_hope), "a pool that fails open answers somebody");
        }
    }
}
