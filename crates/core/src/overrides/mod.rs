//! Overrides and nominations: the instructions of operators about nodes, kept apart from health.
//!
//! An operator can give a node two things, independently of each other:
//!
//! - an [`Override`], whose [`ForcedState`] has priority over health
//! - a [`Nomination`], which changes the role
//!
//! [`Overrides`] is the value that holds all of them. The admin service of the server changes and
//! stores it, the publisher passes it to [`crate::state`]. `role_update` computes how a nomination
//! changes the roles of a pool; it is the only part that can fail.

mod circumstances;
mod nomination;
mod role_update;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use nomination::Nomination;
pub use role_update::{RoleError, RoleUpdate};

use crate::actor::Actor;
use crate::node_id::NodeId;
use crate::pool::{AdminState, ForcedState, Node, Pool, Role};
use circumstances::circumstances;

/// A forced state of a node, with its actor, reason and end.
///
/// The serialized form is that of state files. An alias, here and below, is the name of a member in
/// files of earlier versions.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// The forced state, which has priority over health.
    #[serde(alias = "word")]
    pub state: ForcedState,
    /// The actor that set it.
    pub by: Actor,
    /// The reason; may be empty.
    pub why: String,
    /// Unix time at which it was set, in seconds.
    pub at: u64,
    /// Unix time at which it ends without a command, in seconds.
    pub until: Option<u64>,
}

/// The overrides and nominations of all nodes.
///
/// Nodes that are missing from the configuration keep theirs, which count if the node returns.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    #[serde(rename = "overrides", alias = "words")]
    forced: BTreeMap<NodeId, Override>,
    nominations: BTreeMap<NodeId, Nomination>,
    /// By pool: time and actor of the latest attempt to change a role.
    #[serde(default, alias = "changed")]
    role_changes: BTreeMap<String, (u64, Actor)>,
}

/// Overrides and nominations that have ended.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Expired {
    /// Nodes whose override has ended.
    pub overrides: Vec<NodeId>,
    /// Nodes whose nomination has ended.
    pub nominations: Vec<NodeId>,
}

impl Overrides {
    /// The override of a node.
    pub fn get(&self, node: &NodeId) -> Option<&Override> {
        self.forced.get(node)
    }

    /// The nomination of a node.
    pub fn nomination(&self, node: &NodeId) -> Option<&Nomination> {
        self.nominations.get(node)
    }

    /// The descriptions of all overrides and nominations, with their nodes.
    pub fn descriptions(&self) -> Vec<(&NodeId, String)> {
        let forced = self.forced.iter().map(|(node, forced)| (node, forced.description()));
        let nominations = self.nominations.iter().map(|(node, nomination)| (node, nomination.description()));
        forced.chain(nominations).collect()
    }

    /// All nodes with an override or a nomination, each once.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeId> {
        let only_nominated = self.nominations.keys().filter(|node| !self.forced.contains_key(*node));
        self.forced.keys().chain(only_nominated)
    }

    /// The forced state and the role of a node of a pool. The caller sets `has_served`.
    pub fn admin_state(&self, pool: &Pool, node: &Node) -> AdminState {
        let forced = self.get(&pool.id_of(&node.name)).map(|found| found.state);
        AdminState { forced, role: self.role(pool, node), has_served: false }
    }

    /// The role of a node. A replaced node is active again if the node that replaces it is missing
    /// from the configuration, or is not active.
    fn role(&self, pool: &Pool, node: &Node) -> Role {
        let nomination = |node: &str| self.nominations.get(&pool.id_of(node));
        let is_active = |name: &String| {
            let found = pool.nodes.iter().find(|other| *other.name == **name);
            found.is_some_and(|other| nomination(name).map_or(other.role, |nomination| nomination.role) == Role::Active)
        };
        match nomination(&node.name) {
            Some(Nomination { role: Role::Active, .. }) => Role::Active,
            Some(Nomination { partner: Some(partner), .. }) if is_active(partner) => Role::Backup,
            _ => node.role,
        }
    }

    /// Removes overrides and nominations that end at the Unix time `now` (in seconds) or before.
    pub fn expire(&mut self, now: u64) -> Expired {
        let is_over = |until: Option<u64>| until.is_some_and(|until| until <= now);
        let mut expired = Expired::default();
        self.forced.retain(|node, forced| {
            let is_over = is_over(forced.until);
            expired.overrides.extend(is_over.then(|| node.clone()));
            !is_over
        });
        self.nominations.retain(|node, nomination| {
            let is_over = is_over(nomination.until);
            expired.nominations.extend(is_over.then(|| node.clone()));
            !is_over
        });
        expired
    }

    /// Sets the override of a node. Its nomination stays.
    pub fn set(&mut self, node: NodeId, forced: Override) {
        self.forced.insert(node, forced);
    }

    /// Removes the override of a node. Its nomination stays.
    pub fn remove(&mut self, node: &NodeId) {
        self.forced.remove(node);
    }

    /// Unix time (in seconds) and actor of the latest attempt to change a role of a pool.
    pub fn last_role_change(&self, pool: &str) -> Option<(u64, &Actor)> {
        self.role_changes.get(pool).map(|(at, by)| (*at, by))
    }

    /// Notes an attempt to change a role of a pool.
    pub fn note_role_change(&mut self, pool: &str, at: u64, by: Actor) {
        self.role_changes.insert(pool.to_owned(), (at, by));
    }
}

impl Override {
    /// A description for users: `drained by ops until 2026-11-20T14:00:00Z (patching)`.
    pub fn description(&self) -> String {
        let state = match self.state {
            ForcedState::Drain => "drained",
            ForcedState::Up => "forced up",
            ForcedState::Down => "forced down",
        };
        state.to_owned() + &circumstances(&self.by, self.until, &self.why)
    }
}
