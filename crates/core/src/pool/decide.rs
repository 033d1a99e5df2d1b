//! The decision which addresses of a pool are eligible: a pure function of configuration, health
//! and overrides. [`crate::state`] calls it after each change; it cannot fail.
//!
//! ```text
//!  ①  an operator drains it or forces it down ──► not eligible
//!     an operator forces it up, or its monitors find it up
//!  ②      ├─ active ──► eligible
//!  ③      └─ backup ──► eligible while fewer than `min_available` active nodes are up
//!     down because of bad responses, while another active node is up
//!  ④      └─ active ──► eligible if `max_ejected` active nodes went down before it because of bad
//!                       responses, and are still down
//!
//!     if no node is eligible by these rules:
//!  ⑤      some are unknown ──► unknown active nodes, or else unknown backups
//!  ⑥      none is unknown  ──► `when_empty`: active nodes without a drain or a forced `down`,
//!                              SERVFAIL, no addresses, or the fallback addresses
//! ```
//!
//! Rules ⑤ and ⑥ consider both address families together. If all IPv6 addresses of a pool are
//! down while an IPv4 address is up, AAAA is answered with NODATA and not with addresses that are
//! down.
//!
//! Rules ④ to ⑥ leave out nodes that refuse work, see [`Pool::refuses_work`]. If `when_empty` finds
//! no active node for that reason, it admits nodes that are active by configuration.

use super::node_decision::NodeDecision;
use super::{ForcedState, Pool, PoolView, Role, SelectionTier, Verdict, WhenEmpty};
use crate::health::Health;

/// The outcome for a pool. The verdicts are in its [`NodeDecision`]s.
#[derive(Debug)]
pub struct Decision {
    /// The rule that picked the nodes.
    pub tier: SelectionTier,
    /// The eligible addresses, for queries.
    pub view: PoolView,
}

/// Decides which addresses are eligible, and sets the verdict of each address.
///
/// `rng` puts the nodes of large weighted pools into a random order.
pub fn decide(pool: &Pool, nodes: &mut [NodeDecision<'_>], rng: &mut fastrand::Rng) -> Decision {
    for node in nodes.iter_mut() {
        let forced = node.admin.forced;
        node.addresses.iter_mut().for_each(|address| address.verdict = own_verdict(forced, address.health.health));
    }
    let active = nodes.iter().filter(|node| node.admin.role == Role::Active).count();
    let up = nodes.iter().filter(|node| node.admin.role == Role::Active && node.is_up()).count();
    let mut tier = admit_backups(nodes, up < pool.min_available.of(active));
    if up > 0 {
        cap_ejections(pool, nodes, pool.max_ejected.of(active));
    }
    if !nodes.iter().any(NodeDecision::is_eligible) {
        tier = fall_back(pool, nodes);
    }
    let is_empty = !nodes.iter().any(NodeDecision::is_eligible);
    let view = match pool.when_empty {
        WhenEmpty::ServFail if is_empty => PoolView::ServFail,
        WhenEmpty::Fallback | WhenEmpty::All if is_empty && !pool.fallback.is_empty() => {
            PoolView::of_fallback(&pool.fallback, nodes.len(), rng)
        }
        // All active nodes are drained or forced down, so there is no node to fail open to.
        WhenEmpty::All if is_empty => PoolView::ServFail,
        _ => PoolView::of_eligible(nodes, rng),
    };
    Decision { tier, view }
}

/// The verdict on an address without regard to other nodes and to its role.
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

/// Admits the backups that are up if the pool needs them, otherwise keeps them out.
fn admit_backups(nodes: &mut [NodeDecision<'_>], needed: bool) -> SelectionTier {
    let mut tier = SelectionTier::Active;
    for node in nodes.iter_mut().filter(|node| node.admin.role == Role::Backup) {
        for address in node.addresses.iter_mut().filter(|address| address.verdict.is_eligible()) {
            address.verdict = if needed { Verdict::BackupNeeded } else { Verdict::BackupNotNeeded };
            if needed {
                tier = SelectionTier::Backup;
            }
        }
    }
    tier
}

/// Keeps active nodes with bad responses in the answers, except the first `max_ejected` nodes that
/// went down.
///
/// This prevents a cascade: ejecting loaded nodes moves their load to the rest. It applies only
/// while an active node is up; otherwise backups and `when_empty` count.
fn cap_ejections(pool: &Pool, nodes: &mut [NodeDecision<'_>], max_ejected: usize) {
    let bad_since = |(index, node): (usize, &NodeDecision<'_>)| {
        let is_ejected = node.admin.role == Role::Active && !pool.refuses_work(node.admin) && !node.is_eligible();
        let down = node.addresses.iter().filter(|address| is_ejected && address.verdict == Verdict::Down);
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

/// Admits nodes although none is eligible: unknown nodes, or else those that `when_empty` admits.
fn fall_back(pool: &Pool, nodes: &mut [NodeDecision<'_>]) -> SelectionTier {
    for role in [Role::Active, Role::Backup] {
        let admits = |node: &NodeDecision<'_>| node.admin.role == role && !pool.refuses_work(node.admin);
        if admit(nodes, admits, Verdict::Unknown, Verdict::UnknownFallback) {
            return SelectionTier::Unknown;
        }
    }
    if pool.when_empty == WhenEmpty::All {
        let is_active = |node: &NodeDecision<'_>| node.admin.role == Role::Active && !pool.refuses_work(node.admin);
        if !admit(nodes, is_active, Verdict::Down, Verdict::FailOpen) {
            // The nominated nodes have not served yet, so the nodes that they replaced are better
            // than no answer.
            let was_active = |node: &NodeDecision<'_>| node.config.role == Role::Active;
            admit(nodes, was_active, Verdict::Down, Verdict::FailOpen);
        }
    }
    SelectionTier::Empty
}

/// Changes the verdict of the covered nodes' addresses. Returns true if it changed any.
fn admit(
    nodes: &mut [NodeDecision<'_>],
    covers: impl Fn(&NodeDecision<'_>) -> bool,
    from: Verdict,
    to: Verdict,
) -> bool {
    let mut admitted = false;
    for node in nodes.iter_mut().filter(|node| covers(node)) {
        for address in node.with_verdict(from) {
            address.verdict = to;
            admitted = true;
        }
    }
    admitted
}
