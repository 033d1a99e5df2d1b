//! Why a request of an operator was not carried out. The API turns each reason into a status code.

use evenkeel_core::node_id::NodeId;
use evenkeel_core::overrides::RoleError;
use evenkeel_core::plural::counted;

use crate::health::Stopped;

/// Why a request was not carried out. The text is the reason that operators see.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// There is no such node.
    #[error("there is no node {0}")]
    NoSuchNode(NodeId),
    /// The node has no override to remove.
    #[error("{0} has no override; there is nothing to resume")]
    NoOverride(NodeId),
    /// Roles cannot change as asked.
    #[error(transparent)]
    Role(#[from] RoleError),
    /// A reload has removed the node while its action ran.
    #[error("{0} is no longer in the configuration")]
    Gone(NodeId),
    /// The role has not changed, although its action has been carried out.
    #[error("{0} is {1}")]
    AfterAction(NodeId, String),
    /// Too few active nodes would be left.
    #[error(
        "pool {pool} would be left with {} up; min_available is {min_available}; to do it anyway, use --force (\"force\": true)",
        counted(*left, "active node", "active nodes")
    )]
    TooFewNodes {
        /// The pool.
        pool: String,
        /// Active nodes that would be up.
        left: usize,
        /// Active nodes that should be up.
        min_available: usize,
    },
    /// Neither the health nor the standby health of the backup to nominate is up.
    #[error(
        "neither the monitors nor the standby monitors find {node} up ({why}); to do it anyway, use --force (\"force\": true)"
    )]
    BackupNotUp {
        /// The backup.
        node: NodeId,
        /// Why it is not up.
        why: String,
    },
    /// Another change of roles runs in the pool.
    #[error("roles are being changed in pool {0}; retry in a moment")]
    PoolLocked(String),
    /// The auto-nomination is no longer needed.
    #[error("{0} no longer needs to be nominated")]
    NotNeeded(NodeId),
    /// The role action has failed.
    #[error("the action has failed, and no role has changed: {0}")]
    ActionFailed(String),
    /// The change cannot be written to the state directory.
    #[error("the change could not be stored, and nothing has changed: {0}")]
    NotStored(std::io::Error),
    /// The first configuration is not served yet.
    #[error("the server is starting and probes every node once; retry in a moment")]
    Starting,
    /// The server is ending.
    #[error(transparent)]
    Ending(#[from] Stopped),
}
