//! The role of a node, on which its place in the answers depends.

use std::fmt;

use serde::{Deserialize, Serialize};

/// When a node can be eligible.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// If it is up.
    Active,
    /// If it is up, and fewer active nodes are up than `min_available`.
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
