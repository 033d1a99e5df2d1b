//! Who may be answered, and laws about it.

use proptest::prelude::*;

use super::decide::*;
use super::{Amount, Node, Pool, Role, Said, WhenEmpty, Word};
use crate::health::{Health, Standing};

fn node(name: &str, addresses: &[&str], role: Role) -> Node {
    let addresses = addresses.iter().map(|a| a.parse().unwrap()).collect();
    Node { name: name.into(), addresses, weight: 1, role }
}

fn pool(nodes: Vec<Node>, when_empty: WhenEmpty) -> Pool {
    Pool { when_empty, ..Pool::of("core", nodes) }
}

fn decided(pool: &Pool, health: &[Health]) -> Decision {
    said(pool, health, &[])
}

fn judged(pool: &Pool, standings: &[Standing]) -> Decision {
    decide(pool, standings, &pool.as_configured(), &mut fastrand::Rng::with_seed(1))
}

/// `words` may leave out nodes at the end.
fn said(pool: &Pool, health: &[Health], words: &[Option<Word>]) -> Decision {
    let standings: Vec<Standing> = health.iter().map(|&health| health.into()).collect();
    let mut said = pool.as_configured();
    said.iter_mut().zip(words).for_each(|(said, word)| said.word = *word);
    decide(pool, &standings, &said, &mut fastrand::Rng::with_seed(1))
}

/// Last octets of the addresses that can be answered: IPv4 and IPv6.
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
        node("spare", &["10.0.0.9"], Role::Backup),
    ]
}

#[test]
fn each_tier_is_tried_before_the_next() {
    let pool = pool(three(), WhenEmpty::All);
    type Case = ([Health; 4], Basis, &'static [u8], &'static [u8]);
    let cases: [Case; 7] = [
        ([Up, Up, Up, Up], Basis::Active, &[1, 2], &[1]),
        ([Down, Up, Up, Up], Basis::Active, &[2], &[1]),
        ([Up, Down, Down, Up], Basis::Active, &[1], &[]),
        ([Down, Down, Down, Up], Basis::Backup, &[9], &[]),
        ([Unknown, Down, Down, Up], Basis::Backup, &[9], &[]),
        ([Unknown, Down, Unknown, Down], Basis::Unknown, &[1, 2], &[]),
        ([Down, Down, Down, Down], Basis::Empty, &[1, 2], &[1]),
    ];
    for (health, basis, v4, v6) in cases {
        let decision = decided(&pool, &health);
        assert_eq!(decision.basis, basis, "{health:?}");
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
    let held_out = said(&with_fallback, &[Up, Up, Up, Down], &[Some(Word::Drain), Some(Word::Down)]);
    assert_eq!(answered(&held_out.view), Some((vec![7, 8], vec![7])), "nobody is left to fail open to");
}

#[test]
fn a_node_with_two_addresses_is_one_candidate() {
    let nodes = vec![node("a", &["10.0.0.1", "10.0.0.11"], Role::Active), node("b", &["10.0.0.2"], Role::Active)];
    let decision = decided(&pool(nodes, WhenEmpty::All), &[Up, Up, Up]);
    assert_eq!(answered(&decision.view).unwrap().0.len(), 2);
}

#[test]
fn a_node_carries_the_part_of_its_weight_that_it_can() {
    let nodes = vec![node("a", &["10.0.0.1"], Role::Active), node("b", &["10.0.0.2"], Role::Active)];
    let standings = [50, 100].map(|percent| Standing { percent, ..Up.into() });
    let decision = judged(&pool(nodes, WhenEmpty::All), &standings);
    let PoolView::Addresses { v4, .. } = decision.view else { panic!("addresses") };
    let mut rng = fastrand::Rng::with_seed(1);
    let first = (0..3000).filter(|_| v4.draw(8, &mut rng)[0].address[3] == 1).count();
    assert!((900..1100).contains(&first), "a third of the answers: {first}");
}

#[test]
fn backups_stand_in_for_as_many_as_are_missing() {
    let mut pool = pool(three(), WhenEmpty::All);
    for (min_available, health, basis, v4) in [
        (Amount::Count(2), [Up, Up, Up, Up], Basis::Active, &[1, 2][..]),
        (Amount::Count(2), [Up, Up, Down, Up], Basis::Backup, &[1, 9]),
        (Amount::Count(1), [Up, Up, Down, Up], Basis::Active, &[1]),
        (Amount::Percent(51), [Up, Up, Down, Up], Basis::Backup, &[1, 9]),
        (Amount::Percent(50), [Up, Up, Down, Up], Basis::Active, &[1]),
        (Amount::Count(2), [Up, Up, Down, Down], Basis::Active, &[1]),
    ] {
        pool.min_available = min_available;
        let decision = decided(&pool, &health);
        assert_eq!(decision.basis, basis, "{min_available:?} {health:?}");
        assert_eq!(answered(&decision.view).unwrap().0, v4, "{min_available:?} {health:?}");
    }
}

#[test]
fn an_operator_is_right_whatever_the_monitors_find() {
    use Word::{Down as HeldDown, Drain, Up as ForcedUp};
    let pool = pool(three(), WhenEmpty::All);
    type Case = (&'static [Health; 4], [Option<Word>; 3], &'static [u8]);
    let cases: [Case; 6] = [
        (&[Up, Up, Up, Up], [Some(Drain), None, None], &[2]),
        (&[Up, Up, Up, Up], [Some(HeldDown), None, None], &[2]),
        (&[Down, Down, Down, Down], [Some(ForcedUp), None, None], &[1]),
        (&[Up, Up, Up, Up], [Some(Drain), Some(Drain), None], &[9]),
        (&[Down, Down, Down, Down], [None, Some(Drain), Some(ForcedUp)], &[9]),
        // Fail-open covers only those that nobody holds out.
        (&[Down, Down, Down, Down], [None, Some(Drain), None], &[1]),
    ];
    for (health, words, v4) in cases {
        assert_eq!(answered(&said(&pool, health, &words).view).unwrap().0, v4, "{health:?} {words:?}");
    }
    let all_held = said(&pool, &[Up, Up, Up, Down], &[Some(Drain), Some(HeldDown), None]);
    assert!(answered(&all_held.view).is_none(), "SERVFAIL when every active node is held out");
    assert_eq!(all_held.verdicts, [Verdict::Drained, Verdict::Drained, Verdict::ForcedDown, Verdict::Down]);
}

/// Nodes that fell one after the other because of what they answered, in the order of the numbers.
fn fallen(orders: &[Option<u64>]) -> Vec<Standing> {
    let standing = |&order: &Option<u64>| Standing {
        answers_badly: order,
        ..if order.is_some() { Down.into() } else { Up.into() }
    };
    orders.iter().map(standing).collect()
}

#[test]
fn bad_answers_take_out_no_more_nodes_than_they_may() {
    let nodes = |count| (1..=count).map(|i| node("n", &[&format!("10.0.0.{i}")], Role::Active)).collect();
    let mut pool = pool(nodes(4), WhenEmpty::All);
    type Case = (Amount, [Option<u64>; 4], &'static [u8]);
    let cases: [Case; 6] = [
        (Amount::Percent(50), [Some(3), None, Some(1), None], &[2, 4]),
        (Amount::Percent(50), [Some(3), None, Some(1), Some(2)], &[1, 2]),
        (Amount::Percent(50), [Some(1), None, Some(2), Some(3)], &[2, 4]),
        (Amount::Percent(100), [Some(3), None, Some(1), Some(2)], &[2]),
        (Amount::Count(0), [Some(3), None, Some(1), Some(2)], &[1, 2, 3, 4]),
        (Amount::Percent(50), [Some(3), Some(4), Some(1), Some(2)], &[1, 2, 3, 4]),
    ];
    for (most, orders, v4) in cases {
        pool.max_ejected = most;
        assert_eq!(answered(&judged(&pool, &fallen(&orders)).view).unwrap().0, v4, "{most:?} {orders:?}");
    }
    pool.max_ejected = Amount::Percent(50);
    let mut standings = fallen(&[Some(1), Some(2), Some(3), None]);
    standings[2].answers_badly = None;
    assert_eq!(answered(&judged(&pool, &standings).view).unwrap().0, [4], "who is silent is out in any case");
    standings = fallen(&[Some(1), Some(2), Some(3), None]);
    pool.when_empty = WhenEmpty::ServFail;
    standings[3] = Down.into();
    assert!(answered(&judged(&pool, &standings).view).is_none(), "nobody is up: `when_empty` counts");
}

#[test]
fn a_spare_that_refuses_work_is_answered_only_once_it_serves() {
    let mut pool = pool(three(), WhenEmpty::All);
    let monitor = crate::health::Monitor {
        name: "standby".into(),
        kind: crate::health::Kind::Ping,
        interval: std::time::Duration::from_secs(1),
        timeout: std::time::Duration::from_secs(1),
        rise: 1,
        fall: 1,
    };
    pool.standby_monitors = vec![monitor.into()];
    let mut nominated = pool.as_configured();
    (nominated[0].role, nominated[0].has_served) = (Role::Backup, false);
    nominated[2].role = Role::Active;
    let as_configured = pool.as_configured();
    let decided = |health: [Health; 4], said: &[Said]| {
        let standings = health.map(Standing::from);
        answered(&decide(&pool, &standings, said, &mut fastrand::Rng::with_seed(1)).view).map(|(v4, _)| v4)
    };
    let served = |mut said: Vec<Said>| {
        said[2].has_served = true;
        said
    };
    type Case = (&'static str, [Health; 4], Vec<Said>, &'static [u8]);
    let cases: [Case; 6] = [
        ("a backup is not even a guess", [Down, Down, Down, Unknown], as_configured.clone(), &[1, 2]),
        ("it stands in when it serves", [Down, Down, Down, Up], as_configured, &[9]),
        ("nominated, it does not serve yet", [Down, Down, Up, Down], nominated.clone(), &[2]),
        ("and nobody else does either", [Down, Down, Down, Down], nominated.clone(), &[2]),
        ("it serves, and whom it replaced is spare", [Up, Up, Up, Up], nominated.clone(), &[2, 9]),
        ("it has served, and is like the others", [Down, Down, Down, Down], served(nominated), &[2, 9]),
    ];
    for (what, health, said, v4) in cases {
        assert_eq!(decided(health, &said).unwrap(), v4, "{what}");
    }
}

fn any_word() -> impl Strategy<Value = Option<Word>> {
    prop_oneof![Just(None), Just(None), Just(Some(Word::Drain)), Just(Some(Word::Up)), Just(Some(Word::Down))]
}

fn any_health() -> impl Strategy<Value = Health> {
    prop_oneof![Just(Up), Just(Down), Just(Unknown)]
}

proptest! {
    /// Whatever was observed and said: nobody who is held out is answered, a node that is forced up is (a backup only
    /// while it is needed), answered are exactly the eligible, and a pool that fails open is silent only when every
    /// active node is held out.
    #[test]
    fn words_win_and_verdicts_are_what_is_answered(
        health in prop::collection::vec(any_health(), 12),
        words in prop::collection::vec(any_word(), 12),
        backups in 0..5_usize,
        least in 1..8_usize,
    ) {
        let role = |i| if i >= 12 - backups { Role::Backup } else { Role::Active };
        let nodes = (0..12).map(|i| node("n", &[&format!("10.0.0.{i}")], role(i))).collect();
        let pool = Pool { min_available: Amount::Count(least), ..pool(nodes, WhenEmpty::All) };
        let decision = said(&pool, &health, &words);
        let v4 = answered(&decision.view).map_or_else(Vec::new, |(v4, _)| v4);
        let eligible: Vec<u8> = (0..12_u8).filter(|&i| decision.verdicts[usize::from(i)].is_eligible()).collect();
        prop_assert_eq!(&v4, &eligible);
        let held = |i: usize| matches!(words[i], Some(Word::Drain | Word::Down));
        prop_assert!(v4.iter().all(|&i| !held(usize::from(i))));
        let is_up = |i: usize| !held(i) && (words[i] == Some(Word::Up) || health[i] == Up);
        let active_up = (0..12 - backups).filter(|&i| is_up(i)).count();
        for i in 0..12 - backups {
            prop_assert!(!is_up(i) || eligible.contains(&(i as u8)), "an active node that is up is answered");
        }
        for i in 12 - backups..12 {
            let needed = active_up < least;
            prop_assert!(!is_up(i) || eligible.contains(&(i as u8)) == needed, "backups are answered when needed");
        }
        if (0..12).any(is_up) {
            prop_assert!(v4.iter().all(|&i| is_up(usize::from(i))), "nobody who is down beside somebody who is up");
        } else if (0..12 - backups).any(|i| !held(i)) {
            prop_assert!(!v4.is_empty(), "a pool that fails open answers somebody");
        }
    }

    /// A node that is down is never answered while one is up, and fail-open pools always answer somebody.
    #[test]
    fn nobody_down_is_answered_while_somebody_is_up(health in prop::collection::vec(any_health(), 12), backups in 0..5_usize) {
        let role = |i| if i >= 12 - backups { Role::Backup } else { Role::Active };
        let nodes = (0..12).map(|i| node("n", &[&format!("10.0.0.{i}")], role(i))).collect();
        let decision = decided(&pool(nodes, WhenEmpty::All), &health);
        let (v4, _) = answered(&decision.view).unwrap();
        prop_assert!(!v4.is_empty());
        let is = |octet: &u8, wanted| health[usize::from(*octet)] == wanted;
        if health.contains(&Up) {
            prop_assert!(v4.iter().all(|octet| is(octet, Up)));
            let active_up = (0..12 - backups).any(|i| health[i] == Up);
            prop_assert!(!active_up || v4.iter().all(|&octet| usize::from(octet) < 12 - backups));
        } else if health.contains(&Unknown) {
            prop_assert!(v4.iter().all(|octet| is(octet, Unknown)));
        }
    }
}
