//! Who may be answered: a pure function of configuration and health.
//!
//! ```text
//! active nodes up? ──yes──► them
//!      │ no
//! backups up? ──yes──► them
//!      │ no
//! anyone unknown? ──yes──► unknown active nodes, or else unknown backups
//!      │ no
//! when_empty: all active nodes │ SERVFAIL │ no addresses │ fallback addresses
//! ```
//!
//! "Nobody" is judged over both families: a pool whose IPv6 addresses are all down answers AAAA with NODATA as long
//! as an IPv4 address is up, instead of offering dead addresses of the other family.

use std::net::IpAddr;

use super::select::{Candidate, Candidates, FAMILY_V4, FAMILY_V6};
use super::{Pool, Role, WhenEmpty};
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
    /// Active nodes that are up.
    Active,
    /// Backups that are up, because no active node is.
    Backup,
    /// Nodes that nobody has probed yet, because none is up.
    Unknown,
    /// `when_empty`, because all are down.
    Empty,
}

/// Who may be answered, and why.
#[derive(Debug)]
pub struct Decision {
    /// The rule that chose.
    pub basis: Basis,
    /// What queries get.
    pub view: PoolView,
}

/// Decides who may be answered. `standings` are in the order of [`Pool::slots`]; `rng` orders large weighted pools.
pub fn decide(pool: &Pool, standings: &[Standing], rng: &mut fastrand::Rng) -> Decision {
    let tiers = [
        (Role::Active, Health::Up, Basis::Active),
        (Role::Backup, Health::Up, Basis::Backup),
        (Role::Active, Health::Unknown, Basis::Unknown),
        (Role::Backup, Health::Unknown, Basis::Unknown),
    ];
    for (role, wanted, basis) in tiers {
        let eligible = |slot: usize, node: usize| pool.nodes[node].role == role && standings[slot].health == wanted;
        if pool.slots().enumerate().any(|(slot, (node, _))| eligible(slot, node)) {
            return Decision { basis, view: view(pool, standings, eligible, rng) };
        }
    }
    let view = match &pool.when_empty {
        WhenEmpty::All => view(pool, standings, |_, node| pool.nodes[node].role == Role::Active, rng),
        WhenEmpty::ServFail => PoolView::ServFail,
        WhenEmpty::NoData => view(pool, standings, |_, _| false, rng),
        WhenEmpty::Fallback(addresses) => addresses_view(addresses.iter().map(|&address| (None, address, 1)), rng),
    };
    Decision { basis: Basis::Empty, view }
}

fn view(
    pool: &Pool,
    standings: &[Standing],
    eligible: impl Fn(usize, usize) -> bool,
    rng: &mut fastrand::Rng,
) -> PoolView {
    let chosen = pool.slots().enumerate().filter(|&(slot, (node, _))| eligible(slot, node));
    let weighed = chosen.map(|(slot, (node, address))| {
        // In hundredths, so that percentages of the smallest weight still differ.
        let weight = pool.nodes[node].weight * u32::from(standings[slot].percent);
        (Some(node), address, weight)
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

    use super::super::Node;
    use super::*;
    use crate::health::Require;

    fn node(name: &str, addresses: &[&str], role: Role) -> Node {
        let addresses = addresses.iter().map(|a| a.parse().unwrap()).collect();
        Node { name: name.into(), addresses, weight: 1, role }
    }

    fn pool(nodes: Vec<Node>, when_empty: WhenEmpty) -> Pool {
        Pool { name: "core".into(), nodes, monitors: Vec::new(), require: Require::All, host: None, when_empty }
    }

    fn decided(pool: &Pool, health: &[Health]) -> Decision {
        let standings: Vec<Standing> = health.iter().map(|&health| Standing { health, percent: 100 }).collect();
        decide(pool, &standings, &mut fastrand::Rng::with_seed(1))
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
        let decision = decide(&pool(nodes, WhenEmpty::All), &standings, &mut fastrand::Rng::with_seed(1));
        let PoolView::Addresses { v4, .. } = decision.view else { panic!("addresses") };
        let mut rng = fastrand::Rng::with_seed(1);
        let first = (0..3000).filter(|_| v4.draw(8, &mut rng)[0][3] == 1).count();
        assert!((900..1100).contains(&first), "a third of the answers: {first}");
    }

    fn any_health() -> impl Strategy<Value = Health> {
        prop_oneof![Just(Up), Just(Down), Just(Unknown)]
    }

    proptest! {
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
