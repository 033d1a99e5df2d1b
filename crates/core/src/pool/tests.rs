//! Tests of [`decide()`]: cases, and laws over random health and overrides.

use proptest::prelude::*;

use super::{
    AdminState, ForcedState, Node, NodeCount, Pool, PoolView, Role, SelectionTier, Verdict, WhenEmpty, decide,
};
use crate::health::{AddressHealth, Health};

/// A decision, with the verdicts of all addresses in their order.
struct Decided {
    tier: SelectionTier,
    view: PoolView,
    verdicts: Vec<Verdict>,
}

fn node(name: &str, addresses: &[&str], role: Role) -> Node {
    let addresses = addresses.iter().map(|a| a.parse().unwrap()).collect();
    Node { name: name.into(), addresses, weight: 1, role }
}

fn pool(nodes: Vec<Node>, when_empty: WhenEmpty) -> Pool {
    Pool { when_empty, ..Pool::with_defaults("core", nodes) }
}

/// Decides with one health per address and one admin state per node, in the order of the pool.
fn decide_on(pool: &Pool, health: &[AddressHealth], admin: &[AdminState]) -> Decided {
    let mut health = health.iter();
    let mut nodes = pool.undecided(|_, _| *health.next().expect("one health per address"));
    nodes.iter_mut().zip(admin).for_each(|(node, admin)| node.admin = *admin);
    let decision = decide(pool, &mut nodes, &mut fastrand::Rng::with_seed(1));
    let verdicts = nodes.iter().flat_map(|node| node.addresses.iter().map(|address| address.verdict)).collect();
    Decided { tier: decision.tier, view: decision.view, verdicts }
}

fn configured(pool: &Pool) -> Vec<AdminState> {
    pool.nodes.iter().map(Node::configured_state).collect()
}

fn decided(pool: &Pool, health: &[Health]) -> Decided {
    forced(pool, health, &[])
}

fn decided_with(pool: &Pool, health: &[AddressHealth]) -> Decided {
    decide_on(pool, health, &configured(pool))
}

/// Nodes after the last forced state have no override.
fn forced(pool: &Pool, health: &[Health], states: &[Option<ForcedState>]) -> Decided {
    let health: Vec<AddressHealth> = health.iter().map(|&health| health.into()).collect();
    let mut admin = configured(pool);
    admin.iter_mut().zip(states).for_each(|(admin, state)| admin.forced = *state);
    decide_on(pool, &health, &admin)
}

/// Last octets of the eligible IPv4 and IPv6 addresses, sorted. `None` is SERVFAIL.
fn answered(view: &PoolView) -> Option<(Vec<u8>, Vec<u8>)> {
    let PoolView::Addresses { v4, v6 } = view else {
        return None;
    };
    let mut rng = fastrand::Rng::with_seed(1);
    let mut octets = (
        v4.draw(99, &mut rng).iter().map(|pick| pick.address[3]).collect::<Vec<_>>(),
        v6.draw(99, &mut rng).iter().map(|pick| pick.address[15]).collect::<Vec<_>>(),
    );
    octets.0.sort_unstable();
    octets.1.sort_unstable();
    Some(octets)
}

use Health::{Down, Unknown, Up};

fn three() -> Vec<Node> {
    vec![
        node("a", &["10.0.0.1", "2001:db8::1"], Role::Active),
        node("b", &["10.0.0.2"], Role::Active),
        node("backup", &["10.0.0.9"], Role::Backup),
    ]
}

#[test]
fn each_tier_is_tried_before_the_next() {
    let pool = pool(three(), WhenEmpty::All);
    type Case = ([Health; 4], SelectionTier, &'static [u8], &'static [u8]);
    let cases: [Case; 7] = [
        ([Up, Up, Up, Up], SelectionTier::Active, &[1, 2], &[1]),
        ([Down, Up, Up, Up], SelectionTier::Active, &[2], &[1]),
        ([Up, Down, Down, Up], SelectionTier::Active, &[1], &[]),
        ([Down, Down, Down, Up], SelectionTier::Backup, &[9], &[]),
        ([Unknown, Down, Down, Up], SelectionTier::Backup, &[9], &[]),
        ([Unknown, Down, Unknown, Down], SelectionTier::Unknown, &[1, 2], &[]),
        ([Down, Down, Down, Down], SelectionTier::Empty, &[1, 2], &[1]),
    ];
    for (health, tier, v4, v6) in cases {
        let decision = decided(&pool, &health);
        assert_eq!(decision.tier, tier, "{health:?}");
        assert_eq!(answered(&decision.view).unwrap(), (v4.to_vec(), v6.to_vec()), "{health:?}");
    }
}

#[test]
fn an_empty_pool_answers_as_configured() {
    let empty = |when_empty| decided(&pool(three(), when_empty), &[Down; 4]).view;
    assert!(answered(&empty(WhenEmpty::ServFail)).is_none());
    assert_eq!(answered(&empty(WhenEmpty::NoData)), Some((vec![], vec![])));
    let fallback = ["192.0.2.7", "192.0.2.8", "2001:db8::7"].map(|address| address.parse().unwrap()).to_vec();
    let with_fallback = Pool { fallback, ..pool(three(), WhenEmpty::Fallback) };
    assert_eq!(answered(&decided(&with_fallback, &[Down; 4]).view), Some((vec![7, 8], vec![7])));
    let with_fallback = Pool { when_empty: WhenEmpty::All, ..with_fallback };
    assert_eq!(answered(&decided(&with_fallback, &[Down; 4]).view), Some((vec![1, 2], vec![1])));
    let all_drained = forced(&with_fallback, &[Up, Up, Up, Down], &[Some(ForcedState::Drain), Some(ForcedState::Down)]);
    assert_eq!(answered(&all_drained.view), Some((vec![7, 8], vec![7])), "no node is left to fail open to");
}

#[test]
fn a_node_with_two_addresses_is_one_candidate() {
    let nodes = vec![node("a", &["10.0.0.1", "10.0.0.11"], Role::Active), node("b", &["10.0.0.2"], Role::Active)];
    let decision = decided(&pool(nodes, WhenEmpty::All), &[Up, Up, Up]);
    assert_eq!(answered(&decision.view).unwrap().0.len(), 2);
}

#[test]
fn a_weight_percentage_reduces_the_share_of_a_node() {
    let nodes = vec![node("a", &["10.0.0.1"], Role::Active), node("b", &["10.0.0.2"], Role::Active)];
    let health = [50, 100].map(|percent| AddressHealth { weight_percent: percent, ..Up.into() });
    let decision = decided_with(&pool(nodes, WhenEmpty::All), &health);
    let PoolView::Addresses { v4, .. } = decision.view else { panic!("addresses") };
    let mut rng = fastrand::Rng::with_seed(1);
    let first = (0..3000).filter(|_| v4.draw(8, &mut rng)[0].address[3] == 1).count();
    assert!((900..1100).contains(&first), "a third of the answers, not {first} of 3000");
}

#[test]
fn a_node_of_several_addresses_has_the_lowest_of_their_percentages() {
    let nodes = vec![node("a", &["10.0.0.1", "10.0.0.1"], Role::Active), node("b", &["10.0.0.2"], Role::Active)];
    for percentages in [[50, 100, 100], [100, 50, 100]] {
        let health = percentages.map(|percent| AddressHealth { weight_percent: percent, ..Up.into() });
        let PoolView::Addresses { v4, .. } = decided_with(&pool(nodes.clone(), WhenEmpty::All), &health).view else {
            panic!("addresses")
        };
        let mut rng = fastrand::Rng::with_seed(1);
        let first = (0..3000).filter(|_| v4.draw(8, &mut rng)[0].address[3] == 1).count();
        assert!((900..1100).contains(&first), "a third of the answers, not {first} of 3000: {percentages:?}");
    }
}

#[test]
fn backups_join_while_too_few_active_nodes_are_up() {
    let mut pool = pool(three(), WhenEmpty::All);
    for (min_available, health, tier, v4) in [
        (NodeCount::Count(2), [Up, Up, Up, Up], SelectionTier::Active, &[1, 2][..]),
        (NodeCount::Count(2), [Up, Up, Down, Up], SelectionTier::Backup, &[1, 9]),
        (NodeCount::Count(1), [Up, Up, Down, Up], SelectionTier::Active, &[1]),
        (NodeCount::Percent(51), [Up, Up, Down, Up], SelectionTier::Backup, &[1, 9]),
        (NodeCount::Percent(50), [Up, Up, Down, Up], SelectionTier::Active, &[1]),
        (NodeCount::Count(2), [Up, Up, Down, Down], SelectionTier::Active, &[1]),
    ] {
        pool.min_available = min_available;
        let decision = decided(&pool, &health);
        assert_eq!(decision.tier, tier, "{min_available:?} {health:?}");
        assert_eq!(answered(&decision.view).unwrap().0, v4, "{min_available:?} {health:?}");
    }
}

#[test]
fn overrides_win_over_health() {
    use ForcedState::{Down as ForcedDown, Drain, Up as ForcedUp};
    let pool = pool(three(), WhenEmpty::All);
    type Case = (&'static [Health; 4], [Option<ForcedState>; 3], &'static [u8]);
    let cases: [Case; 6] = [
        (&[Up, Up, Up, Up], [Some(Drain), None, None], &[2]),
        (&[Up, Up, Up, Up], [Some(ForcedDown), None, None], &[2]),
        (&[Down, Down, Down, Down], [Some(ForcedUp), None, None], &[1]),
        (&[Up, Up, Up, Up], [Some(Drain), Some(Drain), None], &[9]),
        (&[Down, Down, Down, Down], [None, Some(Drain), Some(ForcedUp)], &[9]),
        // A pool fails open to nodes that are not drained or forced down.
        (&[Down, Down, Down, Down], [None, Some(Drain), None], &[1]),
    ];
    for (health, states, v4) in cases {
        assert_eq!(answered(&forced(&pool, health, &states).view).unwrap().0, v4, "{health:?} {states:?}");
    }
    let all_drained = forced(&pool, &[Up, Up, Up, Down], &[Some(Drain), Some(ForcedDown), None]);
    assert!(answered(&all_drained.view).is_none(), "SERVFAIL if every active node is drained");
    assert_eq!(all_drained.verdicts, [Verdict::Drained, Verdict::Drained, Verdict::ForcedDown, Verdict::Down]);
}

/// Health of nodes that went down because of bad responses at these sequence numbers; `None` is up.
fn ejected(seqs: &[Option<u64>]) -> Vec<AddressHealth> {
    let health = |&seq: &Option<u64>| AddressHealth {
        bad_response_seq: seq,
        ..if seq.is_some() { Down.into() } else { Up.into() }
    };
    seqs.iter().map(health).collect()
}

#[test]
fn bad_responses_eject_at_most_max_ejected_nodes() {
    let nodes = |count| (1..=count).map(|i| node("n", &[&format!("10.0.0.{i}")], Role::Active)).collect();
    let mut pool = pool(nodes(4), WhenEmpty::All);
    type Case = (NodeCount, [Option<u64>; 4], &'static [u8]);
    let cases: [Case; 6] = [
        (NodeCount::Percent(50), [Some(3), None, Some(1), None], &[2, 4]),
        (NodeCount::Percent(50), [Some(3), None, Some(1), Some(2)], &[1, 2]),
        (NodeCount::Percent(50), [Some(1), None, Some(2), Some(3)], &[2, 4]),
        (NodeCount::Percent(100), [Some(3), None, Some(1), Some(2)], &[2]),
        (NodeCount::Count(0), [Some(3), None, Some(1), Some(2)], &[1, 2, 3, 4]),
        (NodeCount::Percent(50), [Some(3), Some(4), Some(1), Some(2)], &[1, 2, 3, 4]),
    ];
    for (max_ejected, seqs, v4) in cases {
        pool.max_ejected = max_ejected;
        assert_eq!(answered(&decided_with(&pool, &ejected(&seqs)).view).unwrap().0, v4, "{max_ejected:?} {seqs:?}");
    }
    pool.max_ejected = NodeCount::Percent(50);
    let mut health = ejected(&[Some(1), Some(2), Some(3), None]);
    health[2].bad_response_seq = None;
    assert_eq!(
        answered(&decided_with(&pool, &health).view).unwrap().0,
        [4],
        "a node that does not respond is out in any case"
    );
    health = ejected(&[Some(1), Some(2), Some(3), None]);
    pool.when_empty = WhenEmpty::ServFail;
    health[3] = Down.into();
    assert!(answered(&decided_with(&pool, &health).view).is_none(), "no node is up, so `when_empty` counts");
}

#[test]
fn a_backup_that_refuses_work_is_answered_only_after_it_has_served() {
    let mut pool = pool(three(), WhenEmpty::All);
    pool.has_standby_monitors = true;
    let mut nominated = configured(&pool);
    (nominated[0].role, nominated[0].has_served) = (Role::Backup, false);
    nominated[2].role = Role::Active;
    let as_configured = configured(&pool);
    let decided = |health: [Health; 4], admin: &[AdminState]| {
        answered(&decide_on(&pool, &health.map(AddressHealth::from), admin).view).map(|(v4, _)| v4)
    };
    let served = |mut admin: Vec<AdminState>| {
        admin[2].has_served = true;
        admin
    };
    type Case = (&'static str, [Health; 4], Vec<AdminState>, &'static [u8]);
    let cases: [Case; 6] = [
        ("an unknown backup is not eligible", [Down, Down, Down, Unknown], as_configured.clone(), &[1, 2]),
        ("a backup that is up joins", [Down, Down, Down, Up], as_configured, &[9]),
        ("a nominated backup that has not served is not eligible", [Down, Down, Up, Down], nominated.clone(), &[2]),
        ("nor if no other node is up", [Down, Down, Down, Down], nominated.clone(), &[2]),
        ("it is up, and the node that it replaced is a backup", [Up, Up, Up, Up], nominated.clone(), &[2, 9]),
        ("it has served, so the pool fails open to it", [Down, Down, Down, Down], served(nominated), &[2, 9]),
    ];
    for (what, health, admin, v4) in cases {
        assert_eq!(decided(health, &admin).unwrap(), v4, "{what}");
    }
}

fn any_forced_state() -> impl Strategy<Value = Option<ForcedState>> {
    prop_oneof![
        Just(None),
        Just(None),
        Just(Some(ForcedState::Drain)),
        Just(Some(ForcedState::Up)),
        Just(Some(ForcedState::Down))
    ]
}

fn any_health() -> impl Strategy<Value = Health> {
    prop_oneof![Just(Up), Just(Down), Just(Unknown)]
}

proptest! {
    /// Laws for any health and any overrides:
    ///
    /// - exactly the eligible nodes are answered, and none that is drained or forced down
    /// - an active node that is up is answered, a backup that is up only while it is needed
    /// - a pool that fails open has no answer only if every active node is drained or forced down
    #[test]
    fn overrides_have_priority_and_verdicts_match_answers(
        health in prop::collection::vec(any_health(), 12),
        states in prop::collection::vec(any_forced_state(), 12),
        backups in 0..5_usize,
        min_available in 1..8_usize,
    ) {
        let role = |i| if i >= 12 - backups { Role::Backup } else { Role::Active };
        let nodes = (0..12).map(|i| node("n", &[&format!("10.0.0.{i}")], role(i))).collect();
        let pool = Pool { min_available: NodeCount::Count(min_available), ..pool(nodes, WhenEmpty::All) };
        let decision = forced(&pool, &health, &states);
        let v4 = answered(&decision.view).map_or_else(Vec::new, |(v4, _)| v4);
        let eligible: Vec<u8> = (0..12_u8).filter(|&i| decision.verdicts[usize::from(i)].is_eligible()).collect();
        prop_assert_eq!(&v4, &eligible);
        let is_drained_or_forced_down = |i: usize| matches!(states[i], Some(ForcedState::Drain | ForcedState::Down));
        prop_assert!(v4.iter().all(|&i| !is_drained_or_forced_down(usize::from(i))));
        let is_up = |i: usize| !is_drained_or_forced_down(i) && (states[i] == Some(ForcedState::Up) || health[i] == Up);
        let active_up = (0..12 - backups).filter(|&i| is_up(i)).count();
        for i in 0..12 - backups {
            prop_assert!(!is_up(i) || eligible.contains(&(i as u8)), "an active node that is up is answered");
        }
        for i in 12 - backups..12 {
            let is_needed = active_up < min_available;
            prop_assert!(!is_up(i) || eligible.contains(&(i as u8)) == is_needed, "backups are answered if needed");
        }
        if (0..12).any(is_up) {
            prop_assert!(v4.iter().all(|&i| is_up(usize::from(i))), "no node that is down is answered beside one that is up");
        } else if (0..12 - backups).any(|i| !is_drained_or_forced_down(i)) {
            prop_assert!(!v4.is_empty(), "a pool that fails open has an answer");
        }
    }

    /// Without overrides: a node that is down is never answered while one is up, and a pool that
    /// fails open always has an answer.
    #[test]
    fn no_node_that_is_down_is_answered_while_one_is_up(health in prop::collection::vec(any_health(), 12), backups in 0..5_usize) {
        let role = |i| if i >= 12 - backups { Role::Backup } else { Role::Active };
        let nodes = (0..12).map(|i| node("n", &[&format!("10.0.0.{i}")], role(i))).collect();
        let decision = decided(&pool(nodes, WhenEmpty::All), &health);
        let (v4, _) = answered(&decision.view).unwrap();
        prop_assert!(!v4.is_empty());
        let has = |octet: &u8, wanted| health[usize::from(*octet)] == wanted;
        if health.contains(&Up) {
            prop_assert!(v4.iter().all(|octet| has(octet, Up)));
            let active_up = (0..12 - backups).any(|i| health[i] == Up);
            prop_assert!(!active_up || v4.iter().all(|&octet| usize::from(octet) < 12 - backups));
        } else if health.contains(&Unknown) {
            prop_assert!(v4.iter().all(|octet| has(octet, Unknown)));
        }
    }
}
