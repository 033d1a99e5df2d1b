//! What operators say of a node, as decisions read it.

use serde::{Deserialize, Serialize};

use super::Role;

/// The state that an operator forces a node into, whatever its monitors find.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ForcedState {
    /// The node gets no new sessions.
    Drain,
    /// The node is up.
    Up,
    /// The node is down.
    Down,
}

impl ForcedState {
    /// Returns true if the state keeps the node out of answers.
    pub fn holds_out(self) -> bool {
        matches!(self, Self::Drain | Self::Down)
    }
}

/// The forced state and the role of a node: from operators, or else from the configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AdminState {
    /// Counts instead of health, if it is set.
    pub forced: Option<ForcedState>,
    /// The role that counts.
    pub role: Role,
    /// The node has served in this role. A nominated node counts as having served once it is up.
    pub has_served: bool,
}

impl AdminState {
    /// Returns true if an operator keeps the node out of answers.
    pub fn is_held_out(self) -> bool {
        self.forced.is_some_and(ForcedState::holds_out)
    }
}
