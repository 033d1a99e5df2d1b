//! What the log says of health: one line for each flip, each pool that is new, and each change of who is answered.
//!
//! Lines are gathered while a snapshot is made and written after it is stored: queries do not wait for the log.

use std::net::IpAddr;

use tracing::{info, warn};

use super::Health;
use super::probe::Failure;
use super::table::{Flip, Standing};
use crate::pool::{Basis, Pool, Role, WhenEmpty};

/// Lines that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Line>);

#[derive(Debug)]
enum Line {
    Info(String),
    Warning(String),
}

impl Report {
    /// Writes the lines.
    pub(super) fn write(&mut self) {
        for line in self.0.drain(..) {
            match line {
                Line::Info(text) => info!("{text}"),
                Line::Warning(text) => warn!("{text}"),
            }
        }
    }

    /// An address whose health has changed by a row of probes.
    pub(super) fn flip(&mut self, pool: &Pool, at: (usize, IpAddr), flip: &Flip, monitor: &str) {
        let (node, to, count) = (described(pool, at), flip.to, flip.count);
        let why = match &flip.result {
            Ok(_) => "passed".to_owned(),
            Err(failure) => format!("failed, {failure}"),
        };
        self.0.push(Line::Info(format!("{node} is {to}: {count} of {count} probes of {monitor} {why}")));
    }

    /// An address that a new configuration brings, and that is not up.
    pub(super) fn newcomer(&mut self, pool: &Pool, at: (usize, IpAddr), health: Health, failure: Option<&Failure>) {
        let node = described(pool, at);
        let why = match (health, failure) {
            (Health::Down, Some(failure)) => format!("first probe failed, {failure}"),
            (Health::Down, None) => "as before the restart, not probed within startup_grace".to_owned(),
            _ => "not probed within startup_grace".to_owned(),
        };
        self.0.push(Line::Info(format!("{node} is {health}: {why}")));
    }

    /// An address that a new configuration judges otherwise, by other monitors than before.
    pub(super) fn reloaded(&mut self, pool: &Pool, at: (usize, IpAddr), health: Health, failure: Option<&Failure>) {
        let node = described(pool, at);
        let why = failure.filter(|_| health == Health::Down).map(|failure| format!(", {failure}")).unwrap_or_default();
        self.0.push(Line::Info(format!("{node} is {health} by the monitors of the new configuration{why}")));
    }

    /// A pool that a new configuration brings.
    pub(super) fn pool(&mut self, pool: &Pool, standings: &[Standing]) {
        let up = standings.iter().filter(|standing| standing.health == Health::Up).count();
        self.0.push(Line::Info(format!("pool {}: {up} of {} addresses up", pool.name, standings.len())));
    }

    /// A pool that is answered by another rule than before.
    pub(super) fn basis(&mut self, pool: &Pool, basis: Basis) {
        let name = &pool.name;
        let active = pool.nodes.iter().filter(|node| node.role == Role::Active).count();
        let text = match (basis, &pool.when_empty) {
            (Basis::Active, _) => "active nodes are up again and answered".to_owned(),
            (Basis::Backup, _) => {
                format!("fewer than {} active nodes are up, backups stand in", pool.least_active())
            }
            (Basis::Unknown, _) => "no node is up, nodes that are not probed yet are answered".to_owned(),
            (Basis::Empty, WhenEmpty::All) => {
                format!("no node is up, all {active} active nodes are answered (fail open)")
            }
            (Basis::Empty, WhenEmpty::ServFail) => "no node is up, SERVFAIL is answered".to_owned(),
            (Basis::Empty, WhenEmpty::NoData) => "no node is up, no addresses are answered".to_owned(),
            (Basis::Empty, WhenEmpty::Fallback(addresses)) => {
                format!("no node is up, {} fallback addresses are answered", addresses.len())
            }
        };
        self.0.push(Line::Warning(format!("pool {name}: {text}")));
    }
}

/// `pool/node (address)`.
fn described(pool: &Pool, (node, address): (usize, IpAddr)) -> String {
    format!("{}/{} ({address})", pool.name, pool.nodes[node].name)
}
