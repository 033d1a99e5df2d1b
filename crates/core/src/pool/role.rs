//! The role of a node, on which its place in the answers depends.

use std::fmt;

use serde::{Deserialize, Serialize};

/// When a node can be eligible.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The node is eligible whenever it is up.
    Active,
    /// The node is eligible if it is up and fewer than `min_available` active nodes are up.
    Backup,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Active => "active",
            Self::Backup => "backup",
        })
    }
}
