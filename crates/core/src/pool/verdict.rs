//! The outcome of a decision: a [`Verdict`] per address and a [`SelectionTier`] per pool.

/// The rule that picks the nodes of a pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SelectionTier {
    /// Active nodes that are up. Backups are not needed, or none is up.
    Active,
    /// Active nodes and backups that are up, because fewer than `min_available` active nodes are
    /// up.
    Backup,
    /// Nodes that have not been probed yet, because none is up.
    Unknown,
    /// `when_empty`, because no node is up or unknown.
    Empty,
}

/// The reason why an address is eligible or not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Eligible: its monitors find it up.
    Up,
    /// Eligible: an operator forces it up.
    ForcedUp,
    /// Eligible: a backup that is up and needed.
    BackupNeeded,
    /// Eligible: it is down because of bad responses, but `max_ejected` nodes are ejected already.
    EjectionCapped,
    /// Eligible: it has not been probed yet, and no node is up.
    UnknownFallback,
    /// Eligible: it is down, no node is up, and the pool fails open.
    FailOpen,
    /// Not eligible: a backup that is up and not needed.
    BackupNotNeeded,
    /// Not eligible: its monitors find it down.
    Down,
    /// Not eligible: it has not been probed yet, and other nodes are up.
    Unknown,
    /// Not eligible: an operator drains it.
    Drained,
    /// Not eligible: an operator forces it down.
    ForcedDown,
}

impl Verdict {
    /// Returns true if the address is eligible.
    pub fn is_eligible(self) -> bool {
        matches!(
            self,
            Self::Up
                | Self::ForcedUp
                | Self::BackupNeeded
                | Self::EjectionCapped
                | Self::UnknownFallback
                | Self::FailOpen
        )
    }

    /// Returns true if the address is up, by its monitors or by an operator.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Up | Self::ForcedUp)
    }
}
