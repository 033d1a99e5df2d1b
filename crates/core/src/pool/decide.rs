//! Which nodes are eligible: a pure function of configuration, health and overrides.
//!
//! ```text
//!  an operator drains it or forces it down ──► not eligible
//!  an operator forces it up, or its monitors find it up
//!      ├─ active ──► eligible
//!      └─ backup ──► eligible while fewer than `min_available` active nodes are up
//!  down because of bad responses, while another active node is up
//!      └─ active ──► eligible if `max_ejected` nodes went down before it for the same reason
//!
//!  if no node is eligible by these rules:
//!      some are unknown ──► unknown active nodes, or else unknown backups
//!      none is unknown  ──► `when_empty`: active nodes that are not held out, SERVFAIL,
//!                           no addresses, or the fallback addresses
//! ```
//!
//! The last two rules look at both address families together. If all IPv6 addresses of a pool are
//! down while an IPv4 address is up, AAAA is answered with NODATA and not with dead addresses.

use super::case::NodeCase;
use super::{ForcedState, Pool, PoolView, Role, SelectionTier, Verdict, WhenEmpty};
use crate::health::Health;

/// The outcome for a pool. The verdicts stand in its [`NodeCase`]s.
#[derive(Debug)]
pub struct Decision {
    /// The rule that picked the nodes.
    pub tier: SelectionTier,
    /// What queries read.
    pub view: PoolView,
}

/// Decides which addresses are eligible and sets their verdicts. `rng` orders large weighted pools.
pub fn decide(pool: &Pool, nodes: &mut [NodeCase<'_>], rng: &mut fastrand::Rng) -> Decision {
    for case in nodes.iter_mut() {
        let forced = case.admin.forced;
        case.addresses.iter_mut().for_each(|address| address.verdict = own_verdict(forced, address.health.health));
    }
    let active = nodes.iter().filter(|case| case.admin.role == Role::Active).count();
    let up = nodes.iter().filter(|case| case.admin.role == Role::Active && case.is_up()).count();
    let mut tier = admit_backups(nodes, up < pool.min_available.of(active));
    if up > 0 {
        cap_ejections(pool, nodes, pool.max_ejected.of(active));
    }
    if !nodes.iter().any(NodeCase::is_eligible) {
        tier = fall_back(pool, nodes);
    }
    let is_empty = !nodes.iter().any(NodeCase::is_eligible);
    let view = match pool.when_empty {
        WhenEmpty::ServFail if is_empty => PoolView::ServFail,
        WhenEmpty::Fallback | WhenEmpty::All if is_empty && !pool.fallback.is_empty() => {
            PoolView::of_fallback(&pool.fallback, nodes.len(), rng)
        }
        // Operators hold out every active node, so there is nothing to fail open to.
        WhenEmpty::All if is_empty => PoolView::ServFail,
        _ => PoolView::of_eligible(nodes, rng),
    };
    Decision { tier, view }
}

/// The verdict on an address if no other node counted.
fn own_verdict(forced: Option<ForcedState>, health: Health) -> Verdict {
    match (forced, health) {
        (Some(ForcedState::Drain), _) => Verdict::Drained,
        (Some(ForcedState::Down), _) => Verdict::ForcedDown,
        (Some(ForcedState::Up), _) => Verdict::ForcedUp,
        (None, Health::Up) => Verdict::Up,
        (None, Health::Down) => Verdict::Down,
        (None, Health::Unknown) => Verdict::Unknown,
    }
}

/// Judges the backups that are up by whether the pool needs them.
fn admit_backups(nodes: &mut [NodeCase<'_>], needed: bool) -> SelectionTier {
    let mut tier = SelectionTier::Active;
    for case in nodes.iter_mut().filter(|case| case.admin.role == Role::Backup) {
        for address in case.addresses.iter_mut().filter(|address| address.verdict.is_eligible()) {
            address.verdict = if needed { Verdict::BackupNeeded } else { Verdict::BackupNotNeeded };
            if needed {
                tier = SelectionTier::Backup;
            }
        }
    }
    tier
}

/// Keeps active nodes in the answers that are down because of bad responses, once `max_ejected` nodes
/// that went down before them are out for that.
///
/// This prevents a cascade: ejecting loaded nodes moves their load to the rest. If no active node is
/// up, backups and `when_empty` count instead.
fn cap_ejections(pool: &Pool, nodes: &mut [NodeCase<'_>], max_ejected: usize) {
    let bad_since = |(index, case): (usize, &NodeCase<'_>)| {
        let counts = case.admin.role == Role::Active && !pool.refuses_work(case.admin) && !case.is_eligible();
        let down = case.addresses.iter().filter(|address| counts && address.verdict == Verdict::Down);
        down.filter_map(|address| address.health.bad_response_seq).min().map(|seq| (seq, index))
    };
    let mut bad: Vec<(u64, usize)> = nodes.iter().enumerate().filter_map(bad_since).collect();
    bad.sort_unstable();
    for (_, index) in bad.into_iter().skip(max_ejected) {
        for address in nodes[index].with_verdict(Verdict::Down) {
            if address.health.bad_response_seq.is_some() {
                address.verdict = Verdict::EjectionCapped;
            }
        }
    }
}

/// Admits unknown nodes, or else what `when_empty` says, because no node is up.
fn fall_back(pool: &Pool, nodes: &mut [NodeCase<'_>]) -> SelectionTier {
    for role in [Role::Active, Role::Backup] {
        let admits = |case: &NodeCase<'_>| case.admin.role == role && !pool.refuses_work(case.admin);
        if admit(nodes, admits, Verdict::Unknown, Verdict::UnknownFallback) {
            return SelectionTier::Unknown;
        }
    }
    if pool.when_empty == WhenEmpty::All {
        let is_active = |case: &NodeCase<'_>| case.admin.role == Role::Active && !pool.refuses_work(case.admin);
        if !admit(nodes, is_active, Verdict::Down, Verdict::FailOpen) {
            // The nodes that replaced them have not served yet: the former active nodes are better than none.
            let was_active = |case: &NodeCase<'_>| case.node.role == Role::Active;
            admit(nodes, was_active, Verdict::Down, Verdict::FailOpen);
        }
    }
    SelectionTier::Empty
}

/// Changes the verdict of some nodes' addresses; returns true if there was any to change.
fn admit(nodes: &mut [NodeCase<'_>], covers: impl Fn(&NodeCase<'_>) -> bool, from: Verdict, to: Verdict) -> bool {
    let mut admitted = false;
    for case in nodes.iter_mut().filter(|case| covers(case)) {
        for address in case.with_verdict(from) {
            address.verdict = to;
            admitted = true;
        }
    }
    admitted
}
