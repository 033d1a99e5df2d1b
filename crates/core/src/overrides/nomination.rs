//! A role that an operator, or the server, gives to a node.

use serde::{Deserialize, Serialize};

use super::circumstances::circumstances;
use crate::actor::Actor;
use crate::pool::Role;

/// Another role than the configuration's.
///
/// A nominated backup counts as active. The active node that it replaces, if any, counts as a backup
/// meanwhile. Each of the two names the other as its partner.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Nomination {
    /// The role that counts.
    pub role: Role,
    /// The node of the same pool that it replaces or, for a backup, that replaces it.
    pub partner: Option<String>,
    /// Who nominated.
    pub by: Actor,
    /// Why; may be empty.
    pub why: String,
    /// When, in seconds since 1970.
    pub at: u64,
    /// When it ends by itself, in seconds since 1970.
    pub until: Option<u64>,
}

impl Nomination {
    /// By whom, until when and why.
    pub fn circumstances(&self) -> String {
        circumstances(&self.by, self.until, &self.why)
    }

    /// In words: `nominated by ops, replaces core-2 (drill)`.
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
