//! The forced state and the role of a node: the part of a decision that operators control.

use serde::{Deserialize, Serialize};

use super::Role;

/// The state that an operator forces a node into. It has priority over the health of the node.
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
    /// Returns true if the state keeps the node out of the answers.
    pub fn is_drain_or_down(self) -> bool {
        matches!(self, Self::Drain | Self::Down)
    }
}

/// The forced state and the role of a node: set by operators, or else as configured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AdminState {
    /// Counts instead of health, if it is set.
    pub forced: Option<ForcedState>,
    /// Active or backup: by a nomination, or else as configured.
    pub role: Role,
    /// The node is active and has served as an active node.
    ///
    /// A nominated node counts as having served once it is up and, in a pool with standby monitors,
    /// `role_settle_time` has passed since the nomination. A node that is active by configuration
    /// counts as having served while its role is active.
    pub has_served: bool,
}

impl AdminState {
    /// Returns true if an operator keeps the node out of the answers.
    pub fn is_drained_or_forced_down(self) -> bool {
        self.forced.is_some_and(ForcedState::is_drain_or_down)
    }
}
