//! What operators say of nodes: kept apart from health, and winning over it.

mod book;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

pub use book::{Book, Opened};

use crate::pool::{Pool, Word};

/// What an operator says of a node, with who, why and how long.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// What is said.
    pub word: Word,
    /// Who says it.
    pub by: String,
    /// Why; may be empty.
    pub why: String,
    /// Since when, in seconds since 1970.
    pub at: u64,
    /// When it ends by itself, in seconds since 1970.
    pub until: Option<u64>,
}

/// Overrides by `pool/node`. One for a node that the configuration does not have is kept, and counts when it returns.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Overrides(BTreeMap<String, Override>);

/// `pool/node`.
pub fn full_name(pool: &str, node: &str) -> String {
    format!("{pool}/{node}")
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A moment in seconds since 1970, as people read it: UTC.
pub fn moment(seconds: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds.min(253_402_300_799))).to_string()
}

impl Overrides {
    /// The override of a node, by `pool/node`.
    pub fn get(&self, name: &str) -> Option<&Override> {
        self.0.get(name)
    }

    /// All of them, by `pool/node`.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Override)> {
        self.0.iter()
    }

    /// What is said of each node of a pool, in the order of its nodes.
    pub fn words(&self, pool: &Pool) -> Vec<Option<Word>> {
        let word = |node: &crate::pool::Node| self.get(&full_name(&pool.name, &node.name)).map(|found| found.word);
        pool.nodes.iter().map(word).collect()
    }

    /// Names whose override has ended by a moment.
    pub fn ended(&self, now: u64) -> Vec<String> {
        let has_ended = |of: &Override| of.until.is_some_and(|until| until <= now);
        self.0.iter().filter(|(_, of)| has_ended(of)).map(|(name, _)| name.clone()).collect()
    }

    /// Says something of a node, or, with `None`, takes back what was said.
    pub fn set(&mut self, name: &str, what: Option<Override>) {
        match what {
            Some(what) => drop(self.0.insert(name.to_owned(), what)),
            None => drop(self.0.remove(name)),
        }
    }
}

impl Override {
    /// In words: `drained by ops until 2026-11-20T14:00:00Z (patching)`.
    pub fn described(&self) -> String {
        let word = match self.word {
            Word::Drain => "drained",
            Word::Up => "forced up",
            Word::Down => "forced down",
        };
        let until = self.until.map(|until| format!(" until {}", moment(until))).unwrap_or_default();
        let why = if self.why.is_empty() { String::new() } else { format!(" ({})", self.why) };
        format!("{word} by {}{until}{why}", self.by)
    }
}
