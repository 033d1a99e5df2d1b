//! Events of pools: transitions of health, new pools, changed roles, other selection tiers and
//! ejections.
//!
//! [`super::publisher`] collects them while it makes a snapshot, and records them after it has
//! stored the snapshot: queries do not wait for the log.

use std::net::IpAddr;
use std::sync::Arc;

use evenkeel_core::health::{Health, ProbeFailure};
use evenkeel_core::plural::counted;
use evenkeel_core::pool::{AdminState, Role, SelectionTier, WhenEmpty};
use evenkeel_core::state::{AddressIndex, HealthTransition, PoolState, PoolStates, PreviousPool, StateChange};

use crate::events::{Event, EventKind, EventLog, EventState};

/// Events that wait to be recorded.
#[derive(Debug)]
pub(super) struct PoolEvents {
    log: Arc<EventLog>,
    waiting: Vec<Event>,
}

impl PoolEvents {
    pub(super) fn new(log: Arc<EventLog>) -> Self {
        Self { log, waiting: Vec::new() }
    }

    /// Records the events that wait.
    pub(super) fn record(&mut self) {
        if !self.waiting.is_empty() {
            self.log.record(self.waiting.drain(..));
        }
    }

    /// Successes or failures in a row have changed the health of an address. For an active node, a
    /// change of its standby health is not an event.
    pub(super) fn transition(&mut self, state: &PoolState, transition: &HealthTransition, monitor: &str) {
        let &HealthTransition { at, is_standby, to, count, .. } = transition;
        let is_backup = state.node(at).1.admin().role == Role::Backup;
        if is_standby && !is_backup {
            return;
        }
        let why = match &transition.result {
            Ok(_) => "passed".to_owned(),
            Err(failure) => format!("failed, {failure}"),
        };
        let may_wait = is_backup && state.pool().has_standby_monitors;
        let (kind, event_state, what) = match (is_standby, may_wait, to) {
            (true, _, _) => (EventKind::Standby, to.into(), format!("{to} as a backup")),
            // Not a fault: the backup refuses work until it is nominated.
            (false, true, Health::Down) => (EventKind::Standby, EventState::NotServing, "not serving".to_owned()),
            _ => (EventKind::Health, to.into(), to.to_string()),
        };
        let probes = counted(count as usize, "probe", "probes");
        let text = format!("is {what}: {count} of {probes} of {monitor} {why}");
        self.address(state, at, (kind, event_state), &text);
    }

    /// The events of one pool of a new configuration: a summary if the pool is new, or else changed
    /// roles; then addresses that are new and not up, or whose health has changed.
    pub(super) fn reload(&mut self, states: &PoolStates, pool: usize, previous: Option<&PreviousPool>) {
        let state = states.pool(pool);
        match previous {
            None => self.pool_loaded(state),
            Some(previous) => self.changed_roles(state, previous),
        }
        for (at, address) in state.addresses() {
            let (node, node_state) = state.node(at);
            let health = address.health().health;
            let known = previous.and_then(|previous| previous.health(&node.name, address.address()));
            let may_wait = state.pool().has_standby_monitors && node_state.admin().role == Role::Backup;
            match known {
                Some(known) if known != health => {
                    self.health_by_new_monitors(state, at, health, states.failure(pool, at))
                }
                None if health != Health::Up && may_wait => {
                    let standby = address.health().standby;
                    self.new_backup(state, at, standby, states.standby_failure(pool, at));
                }
                None if health != Health::Up => self.new_address(state, at, health, states.failure(pool, at)),
                _ => {}
            }
        }
    }

    /// A new configuration has a new address that is not up.
    fn new_address(&mut self, state: &PoolState, at: AddressIndex, health: Health, failure: Option<&ProbeFailure>) {
        let why = match (health, failure) {
            (Health::Down, Some(failure)) => format!("first probe failed, {failure}"),
            (Health::Down, None) => "as before the restart, not probed within startup_grace".to_owned(),
            _ => "not probed within startup_grace".to_owned(),
        };
        self.address(state, at, (EventKind::Health, health.into()), &format!("is {health}: {why}"));
    }

    /// A new configuration has a new backup that does not serve yet, which is not a fault.
    fn new_backup(&mut self, state: &PoolState, at: AddressIndex, standby: Health, failure: Option<&ProbeFailure>) {
        let why = failure.map(|failure| format!(": first probe failed, {failure}")).unwrap_or_default();
        let text = format!("is {standby} as a backup{why}");
        self.address(state, at, (EventKind::Standby, standby.into()), &text);
    }

    /// The new configuration has other monitors for an address, and they give it a different
    /// health.
    fn health_by_new_monitors(
        &mut self,
        state: &PoolState,
        at: AddressIndex,
        health: Health,
        failure: Option<&ProbeFailure>,
    ) {
        let why = failure.filter(|_| health == Health::Down).map(|failure| format!(", {failure}")).unwrap_or_default();
        let text = format!("is {health} by the monitors of the new configuration{why}");
        self.address(state, at, (EventKind::Health, health.into()), &text);
    }

    /// A new configuration has a new pool.
    fn pool_loaded(&mut self, state: &PoolState) {
        let up = state.addresses().filter(|(_, address)| address.health().health == Health::Up).count();
        let name = &state.pool().name;
        let addresses = counted(state.pool().address_count(), "address", "addresses");
        let text = format!("pool {name}: {up} of {addresses} up");
        self.waiting.push(Event::of_pool(EventKind::Pool, EventState::Loaded, name, text));
    }

    /// A new configuration changes roles. One cause is that it lacks the node that had replaced
    /// another one.
    fn changed_roles(&mut self, state: &PoolState, previous: &PreviousPool) {
        for (node, node_state) in state.nodes() {
            let role = node_state.admin().role;
            if previous.role(&node.name).is_some_and(|before| before != role) {
                let role_text = if role == Role::Active { "active" } else { "a backup" };
                let (id, text) = (state.pool().id_of(&node.name), format!("{role_text} by the new configuration"));
                self.waiting.push(Event::of_node(EventKind::Nomination, role.into(), &id, &text));
            }
        }
    }

    /// A decision has changed the selection tier of a pool, or which nodes are ejected.
    pub(super) fn changes(&mut self, states: &PoolStates, pool: usize, changes: Vec<StateChange>) {
        let state = states.pool(pool);
        let max_ejected = state.max_ejected();
        for change in changes {
            match change {
                StateChange::Tier => self.tier(state),
                StateChange::EjectionCapped(at) => {
                    let text =
                        format!("gives bad responses but stays in the answers: max_ejected ({max_ejected}) is reached");
                    self.address(state, at, (EventKind::Ejection, EventState::Capped), &text);
                }
                StateChange::Ejected(at) => {
                    let why = match states.failure(pool, at) {
                        Some(failure) if !failure.is_bad_response() => failure.to_string(),
                        _ if state.available_count() == 0 => "no active node is up".to_owned(),
                        _ => {
                            let nodes = counted(max_ejected, "active node is", "active nodes are");
                            format!("at most {nodes} out for bad responses")
                        }
                    };
                    self.address(state, at, (EventKind::Ejection, EventState::Ejected), &format!("is ejected: {why}"));
                }
            }
        }
    }

    /// The selection tier of a pool has changed.
    fn tier(&mut self, state: &PoolState) {
        let (event_state, text) = describe_tier(state);
        let name = &state.pool().name;
        let text = format!("pool {name}: {text}");
        self.waiting.push(Event::of_pool(EventKind::Tier, event_state, name, text).as_warning());
    }

    fn address(&mut self, state: &PoolState, at: AddressIndex, kind: (EventKind, EventState), text: &str) {
        let node = &state.node(at).0.name;
        let address: IpAddr = state.address(at).address();
        let pool = &state.pool().name;
        let text = format!("{pool}/{node} ({address}) {text}");
        let event = Event::of_pool(kind.0, kind.1, pool, text);
        self.waiting.push(event.with_node(node).with_address(address));
    }
}

/// The selection tier of a pool, as the state and the text of an event.
fn describe_tier(state: &PoolState) -> (EventState, String) {
    let pool = state.pool();
    let (active, eligible) = (state.active_count(), state.eligible_count());
    let is_active = |admin: &AdminState| admin.role == Role::Active;
    let none_may_serve =
        state.nodes().map(|(_, node)| node.admin()).filter(is_active).all(|admin| admin.is_drained_or_forced_down());
    let has_fallback = !pool.fallback.is_empty();
    match (state.tier(), pool.when_empty) {
        (SelectionTier::Active, _) => (EventState::Active, "active nodes are up again".to_owned()),
        (SelectionTier::Backup, _) => {
            let text = match state.min_available() {
                1 => "no active node is up, backups are eligible".to_owned(),
                required => format!("fewer than {required} active nodes are up, backups are eligible, too"),
            };
            (EventState::Backup, text)
        }
        (SelectionTier::Unknown, _) => {
            (EventState::Unknown, "no node is up, nodes that are not probed yet are eligible".to_owned())
        }
        (SelectionTier::Empty, WhenEmpty::All) if eligible == active => {
            let nodes = match active {
                1 => "the only active node is".to_owned(),
                _ => format!("all {active} active nodes are"),
            };
            (EventState::FailOpen, format!("no node is up, {nodes} eligible (fail open)"))
        }
        (SelectionTier::Empty, WhenEmpty::All) if eligible > 0 => {
            let nodes = counted(eligible, "node that may serve is", "nodes that may serve are");
            (EventState::FailOpen, format!("no node is up, {nodes} eligible (fail open)"))
        }
        (SelectionTier::Empty, WhenEmpty::All) if none_may_serve && !has_fallback => {
            (EventState::ServFail, "every active node is drained or forced down, responses are SERVFAIL".to_owned())
        }
        (SelectionTier::Empty, WhenEmpty::All | WhenEmpty::Fallback) if has_fallback => {
            let addresses = counted(pool.fallback.len(), "fallback address is", "fallback addresses are");
            (EventState::Fallback, format!("no node is up, {addresses} returned"))
        }
        (SelectionTier::Empty, WhenEmpty::NoData) => {
            (EventState::NoData, "no node is up, responses are NODATA".to_owned())
        }
        (SelectionTier::Empty, _) => (EventState::ServFail, "no node is up, responses are SERVFAIL".to_owned()),
    }
}
