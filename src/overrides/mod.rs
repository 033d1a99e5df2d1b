//! What operators say of nodes: kept apart from health, and winning over it.
//!
//! Two things can be said of a node, and stand beside each other: a [`Word`] that counts instead of its health (drain, up,
//! down), and a [`Nomination`] that changes its role.

mod book;
mod nomination;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

pub use book::{Book, Opened};
pub use nomination::{Change, Nomination, NotPossible};

use crate::pool::{Node, Pool, Role, Said, Word};

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

/// Everything that is said, by `pool/node`. What is said of a node that the configuration does not have is kept, and
/// counts when it returns.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    words: BTreeMap<String, Override>,
    nominations: BTreeMap<String, Nomination>,
    /// By pool, when roles were changed last, or somebody tried to, and who.
    #[serde(default)]
    changed: BTreeMap<String, (u64, String)>,
}

/// What has come to its end, by `pool/node`.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Ended {
    /// Nodes of which nothing is said any more.
    pub words: Vec<String>,
    /// Nodes whose role is that of the configuration again.
    pub nominations: Vec<String>,
}

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

/// By whom, until when, and why: ` by ops until 2026-11-20T14:00:00Z (patching)`.
fn circumstances(by: &str, until: Option<u64>, why: &str) -> String {
    let until = until.map(|until| format!(" until {}", moment(until))).unwrap_or_default();
    let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
    format!(" by {by}{until}{why}")
}

impl Overrides {
    /// The override of a node, by `pool/node`.
    pub fn get(&self, name: &str) -> Option<&Override> {
        self.words.get(name)
    }

    /// The nomination of a node, by `pool/node`.
    pub fn nomination(&self, name: &str) -> Option<&Nomination> {
        self.nominations.get(name)
    }

    /// All nodes of which something is said, and what, in words.
    pub fn described(&self) -> Vec<(&str, String)> {
        let words = self.words.iter().map(|(name, said)| (name.as_str(), said.described()));
        let nominations = self.nominations.iter().map(|(name, said)| (name.as_str(), said.described()));
        words.chain(nominations).collect()
    }

    /// All nodes of which something is said.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        let only_nominated = self.nominations.keys().filter(|name| !self.words.contains_key(*name));
        self.words.keys().chain(only_nominated)
    }

    /// What is said of each node of a pool, in the order of its nodes; none has served yet.
    pub fn said(&self, pool: &Pool) -> Vec<Said> {
        let said = |node: &Node| Said {
            word: self.get(&full_name(&pool.name, &node.name)).map(|found| found.word),
            role: self.role(pool, node),
            has_served: false,
        };
        pool.nodes.iter().map(said).collect()
    }

    /// The role that counts. A node that is replaced is active again when nobody is there who replaces it.
    fn role(&self, pool: &Pool, node: &Node) -> Role {
        let nomination = |node: &str| self.nominations.get(&full_name(&pool.name, node));
        let is_active = |name: &String| {
            let found = pool.nodes.iter().find(|other| *other.name == **name);
            found.is_some_and(|other| nomination(name).map_or(other.role, |said| said.role) == Role::Active)
        };
        match nomination(&node.name) {
            Some(Nomination { role: Role::Active, .. }) => Role::Active,
            Some(Nomination { partner: Some(partner), .. }) if is_active(partner) => Role::Backup,
            _ => node.role,
        }
    }

    /// Takes away what has ended by a moment.
    pub fn end(&mut self, now: u64) -> Ended {
        let mut ended = Ended::default();
        let lasts = |until: Option<u64>| until.is_none_or(|until| until > now);
        ended.words.extend(self.words.iter().filter(|(_, said)| !lasts(said.until)).map(|(name, _)| name.clone()));
        self.words.retain(|_, said| lasts(said.until));
        let nominations = self.nominations.iter().filter(|(_, said)| !lasts(said.until));
        ended.nominations.extend(nominations.map(|(name, _)| name.clone()));
        self.nominations.retain(|_, said| lasts(said.until));
        ended
    }

    /// Says something of a node, or, with `None`, takes back what was said; nominations stay.
    pub fn set(&mut self, name: &str, what: Option<Override>) {
        match what {
            Some(what) => drop(self.words.insert(name.to_owned(), what)),
            None => drop(self.words.remove(name)),
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
        word.to_owned() + &circumstances(&self.by, self.until, &self.why)
    }
}
