//! Who may be answered: a pure function of configuration, health and what operators say.
//!
//! ```text
//! held out by an override (drained, forced down) ──► never
//! forced up, or up by its monitors:
//!     active ──► eligible
//!     backup ──► eligible while fewer than `min_available` active nodes are
//! down, because of what it answered, while another active node is up:
//!     active ──► eligible if `max_ejected` fell before it
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
use super::{Pool, Role, Said, WhenEmpty, Word};
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
    /// It answers, but not well, and as many active nodes as may be are out for that already.
    Kept,
    /// Nobody is up, and it has not been probed yet.
    BetterThanNobody,
    /// Nobody is up, and the pool fails open.
    FailsOpen,
    /// A backup that is not needed.
    NotNeeded,
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
        matches!(
            self,
            Self::Up | Self::ForcedUp | Self::StandsIn | Self::Kept | Self::BetterThanNobody | Self::FailsOpen
        )
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

/// Decides who may be answered. `standings` are in the order of [`Pool::slots`], `said` in that of the nodes; `rng`
/// orders large weighted pools.
pub fn decide(pool: &Pool, standings: &[Standing], said: &[Said], rng: &mut fastrand::Rng) -> Decision {
    let slots: Vec<(usize, IpAddr)> = pool.slots().collect();
    let mut verdicts: Vec<Verdict> = slots
        .iter()
        .zip(standings)
        .map(|(&(node, _), standing)| match (said[node].word, standing.health) {
            (Some(Word::Drain), _) => Verdict::Drained,
            (Some(Word::Down), _) => Verdict::ForcedDown,
            (Some(Word::Up), _) => Verdict::ForcedUp,
            (None, Health::Up) => Verdict::Up,
            (None, Health::Down) => Verdict::Down,
            (None, Health::Unknown) => Verdict::Unprobed,
        })
        .collect();
    let up = active_up(said, &slots, &verdicts);
    let stand_in = up < pool.least_active(said);
    let mut basis = Basis::Active;
    for (&(node, _), verdict) in slots.iter().zip(&mut verdicts) {
        if said[node].role == Role::Backup && verdict.is_eligible() {
            *verdict = if stand_in { Verdict::StandsIn } else { Verdict::NotNeeded };
            if stand_in {
                basis = Basis::Backup;
            }
        }
    }
    if up > 0 {
        keep_some(pool, &slots, standings, said, &mut verdicts);
    }
    if !verdicts.iter().any(|verdict| verdict.is_eligible()) {
        basis = look_further(pool, &slots, said, &mut verdicts);
    }
    let nobody = !verdicts.iter().any(|verdict| verdict.is_eligible());
    let view = match pool.when_empty {
        WhenEmpty::ServFail if nobody => PoolView::ServFail,
        WhenEmpty::Fallback | WhenEmpty::All if nobody && !pool.fallback.is_empty() => {
            addresses_view(pool, pool.fallback.iter().map(|&address| (None, address, 1)), rng)
        }
        // Operators hold out every active node: open to nobody is no answer.
        WhenEmpty::All if nobody => PoolView::ServFail,
        _ => view(pool, &slots, standings, &verdicts, rng),
    };
    Decision { basis, view, verdicts }
}

/// Keeps active nodes that answer badly, but answer, when those that fell before them are as many as may be out for that.
/// It is for load that nodes would hand from one to the next; with no active node up, backups and `when_empty` count.
fn keep_some(pool: &Pool, slots: &[(usize, IpAddr)], standings: &[Standing], said: &[Said], verdicts: &mut [Verdict]) {
    // For each node, whether an address is up, and when the first fell that answers badly.
    let mut nodes = vec![(false, None::<u64>); pool.nodes.len()];
    for ((&(node, _), standing), verdict) in slots.iter().zip(standings).zip(verdicts.iter()) {
        let (is_up, fell) = &mut nodes[node];
        *is_up |= verdict.is_eligible();
        if *verdict == Verdict::Down && said[node].role == Role::Active && !pool.refuses_work(said[node]) {
            *fell = [*fell, standing.answers_badly].into_iter().flatten().min();
        }
    }
    let fallen = |(node, (is_up, fell)): (usize, (bool, Option<u64>))| Some((fell.filter(|_| !is_up)?, node));
    let mut fallen: Vec<(u64, usize)> = nodes.into_iter().enumerate().filter_map(fallen).collect();
    fallen.sort_unstable();
    for (_, kept) in fallen.into_iter().skip(pool.most_ejected(said)) {
        for ((&(node, _), standing), verdict) in slots.iter().zip(standings).zip(verdicts.iter_mut()) {
            if node == kept && *verdict == Verdict::Down && standing.answers_badly.is_some() {
                *verdict = Verdict::Kept;
            }
        }
    }
}

/// Finds somebody to answer when nobody is up.
fn look_further(pool: &Pool, slots: &[(usize, IpAddr)], said: &[Said], verdicts: &mut [Verdict]) -> Basis {
    for wanted in [Role::Active, Role::Backup] {
        let mut found = false;
        for (&(node, _), verdict) in slots.iter().zip(verdicts.iter_mut()) {
            if *verdict == Verdict::Unprobed && said[node].role == wanted && !pool.refuses_work(said[node]) {
                *verdict = Verdict::BetterThanNobody;
                found = true;
            }
        }
        if found {
            return Basis::Unknown;
        }
    }
    if pool.when_empty == WhenEmpty::All {
        let active = |node: usize| said[node].role == Role::Active && !pool.refuses_work(said[node]);
        if !fail_open(slots, verdicts, active) {
            // Their successors have yet to serve: better those that were active before than nobody.
            fail_open(slots, verdicts, |node| pool.nodes[node].role == Role::Active);
        }
    }
    Basis::Empty
}

/// Lets some nodes be answered although they are down; gives whether there are any.
fn fail_open(slots: &[(usize, IpAddr)], verdicts: &mut [Verdict], covers: impl Fn(usize) -> bool) -> bool {
    let mut found = false;
    for (&(node, _), verdict) in slots.iter().zip(verdicts) {
        if *verdict == Verdict::Down && covers(node) {
            *verdict = Verdict::FailsOpen;
            found = true;
        }
    }
    found
}

/// Active nodes with an address that is up, by the verdicts on the addresses of [`Pool::slots`].
pub fn active_up(said: &[Said], slots: &[(usize, IpAddr)], verdicts: &[Verdict]) -> usize {
    let mut up = vec![false; said.len()];
    for (&(node, _), verdict) in slots.iter().zip(verdicts) {
        up[node] |= matches!(verdict, Verdict::Up | Verdict::ForcedUp);
    }
    up.into_iter().zip(said).filter(|(up, said)| *up && said.role == Role::Active).count()
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
    addresses_view(pool, weighed, rng)
}

/// Gathers addresses by family; those of one node follow each other and stay one candidate. Without a node, they are
/// the pool's fallback.
fn addresses_view(
    pool: &Pool,
    addresses: impl Iterator<Item = (Option<usize>, IpAddr, u32)>,
    rng: &mut fastrand::Rng,
) -> PoolView {
    fn add<const N: usize>(to: &mut Vec<Candidate<N>>, is_node: bool, node: u32, octets: [u8; N], weight: u32) {
        match to.last_mut() {
            Some(last) if is_node && last.node == node => last.addresses.push(octets),
            _ => to.push(Candidate { node, weight, addresses: smallvec::smallvec![octets] }),
        }
    }
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for (node, address, weight) in addresses {
        let (is_node, node) = (node.is_some(), node.unwrap_or(pool.nodes.len()) as u32);
        match address {
            IpAddr::V4(address) => add(&mut v4, is_node, node, address.octets(), weight),
            IpAddr::V6(address) => add(&mut v6, is_node, node, address.octets(), weight),
        }
    }
    PoolView::Addresses { v4: Candidates::new(v4, rng), v6: Candidates::new(v6, rng) }
}
