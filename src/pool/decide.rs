//! Who may be answered: a pure function of configuration, health and what operators say.
//!
//! ```text
//! held out by an override (drained, forced down) ──► never
//! forced up, or up by its monitors:
//!     active ──► eligible
//!     backup ──► eligible while fewer than `min_available` active nodes are
//! nobody eligible?
//!     anyone unknown? ──yes──► unknown active nodes, or else unknown backups
//!         │ no
//!     when_empty: all active nodes that nobody holds out │ SERVFAIL │ no addresses │ fallback addresses
//! ```
//!
//! "Nobody" is judged over both families: a pool whose IPv6 addresses are all down answers AAAA with NODATA as long
//! as an IPv4 address is up, instead of offering dead addresses of the other family.

use std::net::IpAddr;

use super::select::{Candidate, Candidates, FAMILY_V4, FAMILY_V6};
use super::{Pool, Role, WhenEmpty, Word};
use crate::health::{Health, Standing};

/// What queries for a pool read.
#[derive(Debug)]
pub enum PoolView {
    /// Addresses to draw from; a family without any is NODATA.
    Addresses {
        /// For A.
        v4: Candidates<FAMILY_V4>,
        /// For AAAA.
        v6: Candidates<FAMILY_V6>,
    },
    /// Address queries fail.
    ServFail,
}

/// Which rule chose the nodes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Basis {
    /// Active nodes that are up, enough of them.
    Active,
    /// Backups join, because fewer active nodes are up than must be.
    Backup,
    /// Nodes that nobody has probed yet, because none is up.
    Unknown,
    /// `when_empty`, because nobody is left.
    Empty,
}

/// Whether an address may be answered, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Its monitors find it up.
    Up,
    /// An operator says it is.
    ForcedUp,
    /// A backup that stands in.
    StandsIn,
    /// Nobody is up, and it has not been probed yet.
    BetterThanNobody,
    /// Nobody is up, and the pool fails open.
    FailsOpen,
    /// A backup that is not needed.
    Standby,
    /// Its monitors find it down.
    Down,
    /// It has not been probed yet, and others are up.
    Unprobed,
    /// An operator drains it.
    Drained,
    /// An operator holds it down.
    ForcedDown,
}

impl Verdict {
    /// Whether the address may be answered.
    pub fn is_eligible(self) -> bool {
        matches!(self, Self::Up | Self::ForcedUp | Self::StandsIn | Self::BetterThanNobody | Self::FailsOpen)
    }
}

/// Who may be answered, and why.
#[derive(Debug)]
pub struct Decision {
    /// The rule that chose.
    pub basis: Basis,
    /// What queries get.
    pub view: PoolView,
    /// In the order of [`Pool::slots`].
    pub verdicts: Vec<Verdict>,
}

/// Decides who may be answered. `standings` are in the order of [`Pool::slots`], `words` in that of the nodes; `rng`
/// orders large weighted pools.
pub fn decide(pool: &Pool, standings: &[Standing], words: &[Option<Word>], rng: &mut fastrand::Rng) -> Decision {
    let slots: Vec<(usize, IpAddr)> = pool.slots().collect();
    let role = |slot: usize| pool.nodes[slots[slot].0].role;
    let mut verdicts: Vec<Verdict> = slots
        .iter()
        .zip(standings)
        .map(|(&(node, _), standing)| match (words.get(node).copied().flatten(), standing.health) {
            (Some(Word::Drain), _) => Verdict::Drained,
            (Some(Word::Down), _) => Verdict::ForcedDown,
            (Some(Word::Up), _) => Verdict::ForcedUp,
            (None, Health::Up) => Verdict::Up,
            (None, Health::Down) => Verdict::Down,
            (None, Health::Unknown) => Verdict::Unprobed,
        })
        .collect();
    let stand_in = active_up(pool, &slots, &verdicts) < pool.least_active();
    let mut basis = Basis::Active;
    for (slot, verdict) in verdicts.iter_mut().enumerate() {
        if role(slot) == Role::Backup && verdict.is_eligible() {
            *verdict = if stand_in { Verdict::StandsIn } else { Verdict::Standby };
            if stand_in {
                basis = Basis::Backup;
            }
        }
    }
    if !verdicts.iter().any(|verdict| verdict.is_eligible()) {
        basis = look_further(pool, &mut verdicts, role);
    }
    let view = match (&pool.when_empty, basis) {
        (WhenEmpty::ServFail, Basis::Empty) => PoolView::ServFail,
        (WhenEmpty::Fallback(addresses), Basis::Empty) => {
            addresses_view(addresses.iter().map(|&address| (None, address, 1)), rng)
        }
        // Operators hold out every active node: open to nobody is no answer.
        (WhenEmpty::All, Basis::Empty) if !verdicts.iter().any(|verdict| verdict.is_eligible()) => PoolView::ServFail,
        _ => view(pool, &slots, standings, &verdicts, rng),
    };
    Decision { basis, view, verdicts }
}

/// Finds somebody to answer when nobody is up.
fn look_further(pool: &Pool, verdicts: &mut [Verdict], role: impl Fn(usize) -> Role) -> Basis {
    for wanted in [Role::Active, Role::Backup] {
        let mut found = false;
        for (slot, verdict) in verdicts.iter_mut().enumerate() {
            if *verdict == Verdict::Unprobed && role(slot) == wanted {
                *verdict = Verdict::BetterThanNobody;
                found = true;
            }
        }
        if found {
            return Basis::Unknown;
        }
    }
    if pool.when_empty == WhenEmpty::All {
        for (slot, verdict) in verdicts.iter_mut().enumerate() {
            if *verdict == Verdict::Down && role(slot) == Role::Active {
                *verdict = Verdict::FailsOpen;
            }
        }
    }
    Basis::Empty
}

/// Active nodes with an address that is up, by the verdicts on the addresses of [`Pool::slots`].
pub fn active_up(pool: &Pool, slots: &[(usize, IpAddr)], verdicts: &[Verdict]) -> usize {
    let mut up = vec![false; pool.nodes.len()];
    for (&(node, _), verdict) in slots.iter().zip(verdicts) {
        up[node] |= matches!(verdict, Verdict::Up | Verdict::ForcedUp);
    }
    up.into_iter().zip(&pool.nodes).filter(|(up, node)| *up && node.role == Role::Active).count()
}

fn view(
    pool: &Pool,
    slots: &[(usize, IpAddr)],
    standings: &[Standing],
    verdicts: &[Verdict],
    rng: &mut fastrand::Rng,
) -> PoolView {
    let eligible = slots.iter().zip(standings).zip(verdicts).filter(|(_, verdict)| verdict.is_eligible());
    let weighed = eligible.map(|((&(node, address), standing), _)| {
        // In hundredths, so that percentages of the smallest weight still differ.
        (Some(node), address, pool.nodes[node].weight * u32::from(standing.percent))
    });
    addresses_view(weighed, rng)
}

/// Gathers addresses by family; those of one node follow each other and stay one candidate.
fn addresses_view(addresses: impl Iterator<Item = (Option<usize>, IpAddr, u32)>, rng: &mut fastrand::Rng) -> PoolView {
    fn add<const N: usize>(
        to: &mut Vec<(Option<usize>, Candidate<N>)>,
        node: Option<usize>,
        octets: [u8; N],
        weight: u32,
    ) {
        match to.last_mut() {
            Some((last, candidate)) if node.is_some() && *last == node => candidate.addresses.push(octets),
            _ => to.push((node, Candidate { weight, addresses: smallvec::smallvec![octets] })),
        }
    }
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for (node, address, weight) in addresses {
        match address {
            IpAddr::V4(address) => add(&mut v4, node, address.octets(), weight),
            IpAddr::V6(address) => add(&mut v6, node, address.octets(), weight),
        }
    }
    PoolView::Addresses {
        v4: Candidates::new(v4.into_iter().map(|(_, candidate)| candidate).collect(), rng),
        v6: Candidates::new(v6.into_iter().map(|(_, candidate)| candidate).collect(), rng),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Available, Node};
    use super::*;
    use crate::health::Require;

    fn node(name: &str, addresses: &[&str], role: Role) -> Node {
        let addresses = addresses.iter().map(|a| a.parse().unwrap()).collect();
        Node { name: name.into(), addresses, weight: 1, role }
    }

    fn pool(nodes: Vec<Node>, when_empty: WhenEmpty) -> Pool {
        Pool {
            name: "core".into(),
            nodes,
            monitors: Vec::new(),
            require: Require::All,
            host: None,
            when_empty,
            min_available: Available::Count(1),
            longest_ttl: 5,
        }
    }

    fn decided(pool: &Pool, health: &[Health]) -> Decision {
        let standings: Vec<Standing> = health.iter().map(|&health| Standing { health, percent: 100 }).collect();
        decide(pool, &standings, &[], &mut fastrand::Rng::with_seed(1))
    }

    /// Last octets of the addresses that can be answered: IPv4 and IPv6.
    fn answered(view: &PoolView) -> Option<(Vec<u8>, Vec<u8>)> {
        let PoolView::Addresses { v4, v6 } = view else {
            return None;
        };
        let mut rng = fastrand::Rng::with_seed(1);
        let mut octets = (
            v4.draw(99, &mut rng).iter().map(|a| a[3]).collect::<Vec<_>>(),
            v6.draw(99, &mut rng).iter().map(|a| a[15]).collect::<Vec<_>>(),
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
        let fallback = vec!["192.0.2.7".parse().unwrap(), "192.0.2.8".parse().unwrap(), "2001:db8::7".parse().unwrap()];
        assert_eq!(answered(&empty(WhenEmpty::Fallback(fallback))), Some((vec![7, 8], vec![7])));
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
        let standings = [50, 100].map(|percent| Standing { health: Up, percent });
        let decision = decide(&pool(nodes, WhenEmpty::All), &standings, &[], &mut fastrand::Rng::with_seed(1));
        let PoolView::Addresses { v4, .. } = decision.view else { panic!("addresses") };
        let mut rng = fastrand::Rng::with_seed(1);
        let first = (0..3000).filter(|_| v4.draw(8, &mut rng)[0][3] == 1).count();
        assert!((900..1100).contains(&first), "a third of the answers: {first}");
    }

    fn said(pool: &Pool, health: &[Health], words: &[Option<Word>]) -> Decision {
        let standings: Vec<Standing> = health.iter().map(|&health| Standing { health, percent: 100 }).collect();
        decide(pool, &standings, words, &mut fastrand::Rng::with_seed(1))
    }

    #[test]
    fn backups_stand_in_for_as_many_as_are_missing() {
        let mut pool = pool(three(), WhenEmpty::All);
        for (min_available, health, basis, v4) in [
            (Available::Count(2), [Up, Up, Up, Up], Basis::Active, &[1, 2][..]),
            (Available::Count(2), [Up, Up, Down, Up], Basis::Backup, &[1, 9]),
            (Available::Count(1), [Up, Up, Down, Up], Basis::Active, &[1]),
            (Available::Percent(51), [Up, Up, Down, Up], Basis::Backup, &[1, 9]),
            (Available::Percent(50), [Up, Up, Down, Up], Basis::Active, &[1]),
            (Available::Count(2), [Up, Up, Down, Down], Basis::Active, &[1]),
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
            let pool = Pool { min_available: Available::Count(least), ..pool(nodes, WhenEmpty::All) };
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
}
