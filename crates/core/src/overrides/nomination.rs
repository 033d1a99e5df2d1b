//! The role that an operator or the server gives to a node.

use serde::{Deserialize, Serialize};

use super::circumstances::circumstances;
use crate::actor::Actor;
use crate::pool::Role;

/// A role other than the configured one.
///
/// A nomination with [`Role::Active`] is that of a nominated backup. The active node that it
/// replaces, if any, has a nomination with [`Role::Backup`]. Each of the two names the other as its
/// partner.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Nomination {
    /// The role of the node instead of the configured one.
    pub role: Role,
    /// For an active node: the node that it replaces. For a backup: the node that replaces it.
    pub partner: Option<String>,
    /// The actor that made the nomination.
    pub by: Actor,
    /// The reason; may be empty.
    pub why: String,
    /// Unix time at which the nomination was made, in seconds.
    pub at: u64,
    /// Unix time at which it ends without a command, in seconds.
    pub until: Option<u64>,
}

impl Nomination {
    /// The actor, the end and the reason, for messages.
    pub fn circumstances(&self) -> String {
        circumstances(&self.by, self.until, &self.why)
    }

    /// A description for users: `nominated by ops (drill), replaces core-2`.
    pub fn description(&self) -> String {
        let circumstances = self.circumstances();
        match (self.role, &self.partner) {
            (Role::Active, None) => format!("nominated{circumstances}"),
            (Role::Active, Some(partner)) => format!("nominated{circumstances}, replaces {partner}"),
            (Role::Backup, Some(partner)) => format!("replaced by {partner}, nominated{circumstances}"),
            (Role::Backup, None) => format!("replaced, nominated{circumstances}"),
        }
    }
}
