//! What is told of health: an event for each flip, each pool that is new, and each change of who is answered.
//!
//! Events are gathered while a snapshot is made and recorded after it is stored: queries do not wait for the log.

use std::net::IpAddr;
use std::sync::Arc;

use super::Health;
use super::probe::Failure;
use super::served::{Before, Served};
use super::table::{Flip, Standing, Table};
use crate::events::{Event, Journal, Kind};
use crate::pool::{Basis, Pool, Role, Said, WhenEmpty, Word};

/// Events that wait to be recorded.
#[derive(Debug)]
pub(super) struct Report {
    journal: Arc<Journal>,
    waiting: Vec<Event>,
}

/// Something that a decision changes, besides who is answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    /// The rule by which the pool is answered.
    Basis,
    /// An address that answers badly stays in the answers.
    Kept(usize),
    /// Such an address leaves them after all.
    Ejected(usize),
}

impl Report {
    pub(super) fn new(journal: Arc<Journal>) -> Self {
        Self { journal, waiting: Vec::new() }
    }

    /// Records the events.
    pub(super) fn write(&mut self) {
        if !self.waiting.is_empty() {
            self.journal.record(self.waiting.drain(..));
        }
    }

    /// An address whose health has changed by a row of probes; of active nodes nobody asks how they are as spares.
    pub(super) fn flip(&mut self, served: &Served, flip: &Flip, monitor: &str) {
        let at = served.slots[flip.slot];
        if flip.as_spare && !served.is_backup(flip.slot) {
            return;
        }
        let (to, count) = (flip.to, flip.count);
        let why = match &flip.result {
            Ok(_) => "passed".to_owned(),
            Err(failure) => format!("failed, {failure}"),
        };
        let is_spare = served.is_backup(flip.slot) && !served.pool.standby_monitors.is_empty();
        let (kind, state, what) = match (flip.as_spare, is_spare, to) {
            (true, _, _) => (Kind::Standby, to.to_string(), format!("{to} as a spare")),
            // A spare does not serve, which is no fault of its.
            (false, true, Health::Down) => (Kind::Standby, "not_serving".to_owned(), "not serving".to_owned()),
            _ => (Kind::Health, to.to_string(), to.to_string()),
        };
        let text = format!("is {what}: {count} of {count} probes of {monitor} {why}");
        self.address(kind, &served.pool, at, &state, &text);
    }

    /// An address that a new configuration brings, and that is not up.
    pub(super) fn newcomer(&mut self, pool: &Pool, at: (usize, IpAddr), health: Health, failure: Option<&Failure>) {
        let why = match (health, failure) {
            (Health::Down, Some(failure)) => format!("first probe failed, {failure}"),
            (Health::Down, None) => "as before the restart, not probed within startup_grace".to_owned(),
            _ => "not probed within startup_grace".to_owned(),
        };
        self.address(Kind::Health, pool, at, &health.to_string(), &format!("is {health}: {why}"));
    }

    /// The same of a spare that does not serve, which is as it should be.
    pub(super) fn newcomer_as_spare(
        &mut self,
        pool: &Pool,
        at: (usize, IpAddr),
        standby: Health,
        failure: Option<&Failure>,
    ) {
        let why = failure.map(|failure| format!(": first probe failed, {failure}")).unwrap_or_default();
        self.address(Kind::Standby, pool, at, &standby.to_string(), &format!("is {standby} as a spare{why}"));
    }

    /// An address that a new configuration judges otherwise, by other monitors than before.
    pub(super) fn reloaded(&mut self, pool: &Pool, at: (usize, IpAddr), health: Health, failure: Option<&Failure>) {
        let why = failure.filter(|_| health == Health::Down).map(|failure| format!(", {failure}")).unwrap_or_default();
        let text = format!("is {health} by the monitors of the new configuration{why}");
        self.address(Kind::Health, pool, at, &health.to_string(), &text);
    }

    /// A pool that a new configuration brings.
    pub(super) fn pool(&mut self, pool: &Pool, standings: &[Standing]) {
        let up = standings.iter().filter(|standing| standing.health == Health::Up).count();
        let text = format!("pool {}: {up} of {} addresses up", pool.name, standings.len());
        self.waiting.push(Kind::Pool.of(&pool.name, "loaded", text));
    }

    /// Nodes whose role a new configuration changes, also because who had replaced them is gone from it.
    pub(super) fn roles(&mut self, served: &Served, before: &Before) {
        for (said, node) in served.said.iter().zip(&served.pool.nodes) {
            if before.role(&node.name).is_some_and(|role| role != said.role) {
                let (pool, role) = (&served.pool.name, said.role);
                let role_of = if role == Role::Active { "active" } else { "a backup" };
                let text = format!("{pool}/{} is {role_of} by the new configuration", node.name);
                self.waiting.push(Kind::Nomination.of(pool, &role.to_string(), text).node(&node.name));
            }
        }
    }

    /// What a decision has changed besides who is answered.
    pub(super) fn turns(&mut self, served: &Served, turns: Vec<Turn>, table: &Table, index: usize) {
        let most = served.pool.most_ejected(&served.said);
        for turn in turns {
            let (slot, state, text) = match turn {
                Turn::Basis => {
                    self.basis(served);
                    continue;
                }
                Turn::Kept(slot) => (
                    slot,
                    "kept",
                    format!("answers badly and is kept in the answers: {most} active nodes are out for that"),
                ),
                Turn::Ejected(slot) => {
                    let why = match table.failure(index, slot) {
                        Some(failure) if !failure.is_bad_answer() => failure.to_string(),
                        _ if served.available() == 0 => "no active node is up".to_owned(),
                        _ => format!("at most {most} active nodes are out for bad answers"),
                    };
                    (slot, "ejected", format!("is kept no more: {why}"))
                }
            };
            self.address(Kind::Ejection, &served.pool, served.slots[slot], state, &text);
        }
    }

    /// A pool that is answered by another rule than before.
    fn basis(&mut self, served: &Served) {
        let Served { pool, said, basis, .. } = served;
        let active = said.iter().filter(|said| said.role == Role::Active).count();
        let answered = served.answered();
        let is_held = |said: &Said| matches!(said.word, Some(Word::Drain | Word::Down));
        let held_out = pool.when_empty == WhenEmpty::All
            && pool.fallback.is_empty()
            && said.iter().filter(|said| said.role == Role::Active).all(is_held);
        let (state, text) = match (basis, pool.when_empty) {
            (Basis::Active, _) => ("active", "active nodes are up again and answered".to_owned()),
            (Basis::Backup, _) => {
                ("backup", format!("fewer than {} active nodes are up, backups stand in", pool.least_active(said)))
            }
            (Basis::Unknown, _) => ("unknown", "no node is up, nodes that are not probed yet are answered".to_owned()),
            (Basis::Empty, WhenEmpty::All) if answered == active => {
                ("fail_open", format!("no node is up, all {active} active nodes are answered (fail open)"))
            }
            (Basis::Empty, WhenEmpty::All) if answered > 0 => {
                ("fail_open", format!("no node is up, {answered} nodes that may serve are answered (fail open)"))
            }
            (Basis::Empty, _) if held_out => {
                ("servfail", "operators hold out every active node, SERVFAIL is answered".to_owned())
            }
            (Basis::Empty, WhenEmpty::All | WhenEmpty::Fallback) if !pool.fallback.is_empty() => {
                let addresses = pool.fallback.len();
                ("fallback", format!("no node is up, {addresses} fallback addresses are answered"))
            }
            (Basis::Empty, WhenEmpty::NoData) => ("nodata", "no node is up, no addresses are answered".to_owned()),
            (Basis::Empty, _) => ("servfail", "no node is up, SERVFAIL is answered".to_owned()),
        };
        let text = format!("pool {}: {text}", pool.name);
        self.waiting.push(Kind::Answers.of(&pool.name, state, text).warning());
    }

    fn address(&mut self, kind: Kind, pool: &Pool, (node, address): (usize, IpAddr), state: &str, text: &str) {
        let node = &pool.nodes[node].name;
        let text = format!("{}/{node} ({address}) {text}", pool.name);
        self.waiting.push(kind.of(&pool.name, state, text).node(node).address(address));
    }
}
