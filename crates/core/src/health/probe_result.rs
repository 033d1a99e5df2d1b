//! The result of one probe. The probes of the server make it, the trackers count it.

use std::time::Duration;

/// Why a probe failed. The text is the reason that users read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProbeFailure {
    /// The probe ran into its timeout.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection could not be made, or it was lost.
    #[error("{0}")]
    Connection(String),
    /// The response has another status code than the monitor accepts.
    #[error("status {0}")]
    Status(u16),
    /// The body does not meet a condition of the monitor.
    #[error("body {0}")]
    Body(String),
    /// The reply is not the one that the monitor expects.
    #[error("{0}")]
    Reply(String),
    /// The program of the monitor failed: how it ended, and the last non-empty line of its output.
    #[error("{0}")]
    Program(String),
    /// What the agent on the node says is not a state in which the node can get work.
    #[error("agent says {0}")]
    Agent(String),
}

impl ProbeFailure {
    /// Returns true if the node itself gave a bad response to the probe.
    ///
    /// Programs and agents have rules of their own, so their failures are not bad responses.
    pub fn is_bad_response(&self) -> bool {
        matches!(self, Self::Status(_) | Self::Body(_) | Self::Reply(_))
    }
}

/// The result of a successful probe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProbeSuccess {
    /// Part of its weight that the node can carry, 1 to 100.
    pub weight_percent: u8,
}

impl ProbeSuccess {
    /// The node can carry its full weight.
    pub const FULL_WEIGHT: Self = Self { weight_percent: 100 };
}

/// The result of a probe that ran.
pub type ProbeResult = Result<ProbeSuccess, ProbeFailure>;

/// The probe did not run because of a fault of this machine. The health of the node does not
/// change.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this machine cannot probe: {0}")]
pub struct ProbeNotRun(pub String);
