//! What must hold of a pool at every moment.

use std::net::IpAddr;

use evenkeel_core::health::Health;
use evenkeel_core::pool::{ForcedState, PoolView, Role, SelectionTier, Verdict, WhenEmpty};
use evenkeel_core::state::{NodeState, PoolState, PoolStates};
use evenkeel_core::status::PoolStatus;
use evenkeel_core::time::Now;

use super::world::NODES;

/// A node, as the laws read it. Every node has one address.
struct Facts<'s> {
    state: &'s NodeState,
    is_configured_active: bool,
    is_active: bool,
    is_drained_or_forced_down: bool,
    forced: Option<ForcedState>,
    /// Unknown if it was observed before its role changed.
    health: Health,
    verdict: Verdict,
}

impl Facts<'_> {
    fn is_up(&self) -> bool {
        self.forced == Some(ForcedState::Up) || self.forced.is_none() && self.health == Health::Up
    }

    /// It has bad responses and no override.
    fn is_bad(&self) -> bool {
        self.forced.is_none() && self.state.addresses()[0].health().bad_response_seq.is_some()
    }
}

fn facts<'s>(state: &'s PoolState, status: &'s PoolStatus) -> Vec<Facts<'s>> {
    let facts =
        |((node, state), status): ((&evenkeel_core::pool::Node, &'s NodeState), &evenkeel_core::status::NodeStatus)| {
            Facts {
                state,
                is_configured_active: node.role == Role::Active,
                is_active: state.admin().role == Role::Active,
                is_drained_or_forced_down: state.admin().is_drained_or_forced_down(),
                forced: state.admin().forced,
                health: status.addresses[0].health,
                verdict: state.addresses()[0].verdict(),
            }
        };
    state.nodes().zip(&status.nodes).map(facts).collect()
}

/// The addresses that a view answers.
fn answered_addresses(view: &PoolView) -> Vec<IpAddr> {
    let PoolView::Addresses { v4, v6 } = view else { return Vec::new() };
    let rng = &mut fastrand::Rng::with_seed(1);
    let v4 = v4.draw(99, rng).into_iter().map(|pick| IpAddr::from(pick.address));
    let v4: Vec<_> = v4.collect();
    let v6 = v6.draw(99, rng).into_iter().map(|pick| IpAddr::from(pick.address));
    v4.into_iter().chain(v6).collect()
}

/// Checks a pool after its decision.
pub(super) fn check_moment(state: &PoolState, view: &PoolView, status: &PoolStatus) {
    let nodes = facts(state, status);
    let eligible: Vec<usize> = (0..NODES).filter(|&node| nodes[node].verdict.is_eligible()).collect();
    check_view(state, view, &eligible);
    assert!(nodes.iter().any(|node| node.is_active), "at least one node is always active");
    assert!(
        !eligible.iter().any(|&node| nodes[node].is_drained_or_forced_down),
        "a node that is drained or forced down is not answered"
    );
    for (node, shown) in nodes.iter().zip(&status.nodes) {
        assert!(!shown.why.is_empty(), "{shown:?}");
        assert_eq!(shown.eligible, node.verdict.is_eligible(), "{shown:?}");
        assert!(!shown.eligible || shown.idle_from.is_none(), "a node in the answers is not idle: {shown:?}");
    }
    let is_eligible = |node: usize| eligible.contains(&node);
    let up: Vec<usize> = (0..NODES).filter(|&node| nodes[node].is_up() && nodes[node].is_active).collect();
    assert_eq!(up.len(), status.available);
    assert!(up.iter().all(|&node| is_eligible(node)), "every active node that is up is answered");
    let is_needed = up.len() < state.min_available();
    for node in (0..NODES).filter(|&node| nodes[node].is_up() && !nodes[node].is_active) {
        assert_eq!(is_eligible(node), is_needed, "backups are answered when needed: {node}");
    }
    check_ejections(state, &nodes, &eligible, &up);
    check_fallback(state, &nodes, &eligible, &up);
}

/// Exactly the eligible nodes are answered, or else what the pool is configured to answer.
fn check_view(state: &PoolState, view: &PoolView, eligible: &[usize]) {
    let pool = state.pool();
    let answered = answered_addresses(view);
    if eligible.is_empty() {
        assert!(matches!(state.tier(), SelectionTier::Empty), "{:?}", state.tier());
        match pool.when_empty {
            WhenEmpty::All | WhenEmpty::ServFail => assert!(matches!(view, PoolView::ServFail)),
            WhenEmpty::NoData => assert!(matches!(view, PoolView::Addresses { .. }) && answered.is_empty()),
            WhenEmpty::Fallback => assert_eq!(answered, pool.fallback),
        }
        return;
    }
    let mut expected: Vec<IpAddr> = eligible.iter().map(|&node| pool.nodes[node].addresses[0]).collect();
    let mut answered = answered;
    expected.sort_unstable();
    answered.sort_unstable();
    // With unequal weights, one answer holds fewer nodes, so that shares are exact.
    let weight = |node: usize| state.nodes().nth(node).map(|(_, node)| node.addresses()[0].health().weight_percent);
    if eligible.iter().all(|&node| weight(node) == weight(eligible[0])) {
        assert_eq!(answered, expected, "exactly the eligible nodes are answered");
    } else {
        assert!(answered.iter().all(|address| expected.contains(address)), "{answered:?} {expected:?}");
        for is_v6 in [false, true] {
            let has = |list: &[IpAddr]| list.iter().any(|address| address.is_ipv6() == is_v6);
            assert_eq!(has(&answered), has(&expected), "a family with an eligible address is answered");
        }
    }
}

/// At most `max_ejected` nodes are out for bad responses while another one is up.
fn check_ejections(state: &PoolState, nodes: &[Facts<'_>], eligible: &[usize], up: &[usize]) {
    let is_bad = |&node: &usize| nodes[node].is_active && nodes[node].is_bad() && !refuses(state, &nodes[node]);
    let (capped, ejected): (Vec<usize>, Vec<usize>) =
        (0..NODES).filter(is_bad).partition(|node| eligible.contains(node));
    if !up.is_empty() {
        let max = state.max_ejected();
        assert!(ejected.len() <= max, "at most {max} nodes are out: {ejected:?}");
        assert!(capped.is_empty() || ejected.len() == max, "no ejection is capped before that");
        let others = eligible.iter().filter(|&&node| !nodes[node].is_up());
        assert!(others.eq(capped.iter()), "no other node is answered beside one that is up");
    } else if nodes.iter().any(|node| node.is_up() && node.verdict.is_eligible()) {
        assert!(eligible.iter().all(|&node| nodes[node].is_up()), "only backups that are up");
    }
}

/// Returns true if the node has to be nominated before it takes work, and may not have taken any
/// since.
fn refuses(state: &PoolState, node: &Facts<'_>) -> bool {
    state.pool().has_standby_monitors && !node.state.admin().has_served && !node.is_up()
}

/// What is answered if no node is up.
fn check_fallback(state: &PoolState, nodes: &[Facts<'_>], eligible: &[usize], up: &[usize]) {
    // A backup that has not served refuses work, whatever the state of the other nodes.
    let yields = |node: usize| !nodes[node].is_configured_active || !up.is_empty();
    let is_wrong = |&&node: &&usize| refuses(state, &nodes[node]) && yields(node);
    assert_eq!(eligible.iter().find(is_wrong), None, "no backup is answered before it serves");
    // A replaced node is better than none while its successor has not served.
    let has_hope = |node: &Facts<'_>| {
        let was_active = node.is_configured_active && node.health == Health::Down;
        !node.is_drained_or_forced_down && (node.is_active && !refuses(state, node) || was_active)
    };
    let is_hopeful = state.pool().when_empty == WhenEmpty::All && nodes.iter().any(has_hope);
    assert!(!eligible.is_empty() || !is_hopeful, "a pool that fails open has an answer");
}

/// Checks the backups that the server would nominate by itself.
pub(super) fn check_nominees(states: &PoolStates, statuses: &[PoolStatus], now: Now) {
    for nominees in states.nominees(now) {
        let pool = states.pools().iter().position(|state| state.pool().name == nominees.pool).expect("a pool");
        let (state, status) = (states.pool(pool), &statuses[pool]);
        assert!(
            state.pool().auto_nominate.is_some() && state.available_count() < state.min_available(),
            "{nominees:?}"
        );
        let shown = |name: &str| status.nodes.iter().find(|node| node.name == *name).expect("a node");
        let replaced = shown(&nominees.replaces);
        assert!(replaced.role == Role::Active && !replaced.up && replaced.r#override.is_none(), "{replaced:?}");
        assert!(nominees.promoted.len() + nominees.standby_up.len() > 0, "{nominees:?}");
        for name in nominees.promoted.iter().chain(&nominees.standby_up) {
            let backup = shown(name);
            assert!(backup.role == Role::Backup && backup.r#override.is_none(), "{backup:?}");
        }
        assert!(nominees.promoted.iter().all(|name| shown(name).promoted), "{nominees:?}");
        let is_standby_up = |name: &str| shown(name).addresses[0].standby == Some(Health::Up);
        assert!(nominees.standby_up.iter().all(|name| is_standby_up(name)), "{nominees:?}");
    }
}
