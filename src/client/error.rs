//! What can go wrong with a session, with the node and the server's own words.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A session at a node, as errors and logs name it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct At {
    /// The node.
    pub node: SocketAddr,
    /// The `data_id` or `batch_id`, once there is one.
    pub session: Option<String>,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.session {
            Some(session) => write!(f, "{session} at {}", self.node),
            None => self.node.fmt(f),
        }
    }
}

/// Why an address was passed over.
pub type Tried = Vec<(SocketAddr, String)>;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The cluster's URL cannot be used.
    #[error("{0} is no URL of a cluster: {1}; for example: http://core.lb.example:8008")]
    Url(String, String),
    /// The shared name has no addresses, or nobody says which.
    #[error("{name} cannot be resolved: {why}")]
    Resolve {
        /// The name.
        name: String,
        /// What the resolver says.
        why: String,
    },
    /// No node of the cluster can be reached.
    #[error("no node of {name} can be reached: {}", list(.tried))]
    NoNode {
        /// The shared name.
        name: String,
        /// The addresses that were tried, and why each was passed over.
        tried: Tried,
    },
    /// Every node was too busy for a new session until the deadline.
    #[error("all nodes of {name} are too busy: {}", list(.tried))]
    Busy {
        /// The shared name.
        name: String,
        /// The addresses that were tried.
        tried: Tried,
    },
    /// The node of a session is gone. Nothing is moved to another one: no other node knows the session.
    #[error("the node of the session is gone, {at}: {why}")]
    NodeGone {
        /// The session.
        at: At,
        /// What happened to the connection.
        why: String,
    },
    /// The node does not know the session: the request has reached another node than the one that began it, or the node
    /// has forgotten it.
    #[error("the node does not know the session, {0}")]
    WrongNode(At),
    /// 403.
    #[error("{at} denies access: {words}")]
    AccessDenied {
        /// The session.
        at: At,
        /// The server's words.
        words: String,
    },
    /// 422.
    #[error("{at} takes no empty file: {words}")]
    EmptyFile {
        /// The session.
        at: At,
        /// The server's words.
        words: String,
    },
    /// 411.
    #[error("{at} wants a length: {words}")]
    LengthRequired {
        /// The session.
        at: At,
        /// The server's words.
        words: String,
    },
    /// 500, because of the license.
    #[error("{at} has no valid license: {words}")]
    LicenseExpired {
        /// The session.
        at: At,
        /// The server's words.
        words: String,
    },
    /// 500, for another reason.
    #[error("{at} failed to scan: {words}")]
    ScanFailed {
        /// The session.
        at: At,
        /// The server's words.
        words: String,
    },
    /// 400, because a batch belongs to another node.
    #[error("the batch belongs to another node than {at}: {words}")]
    BatchElsewhere {
        /// The session.
        at: At,
        /// The server's words.
        words: String,
    },
    /// Any other answer that is none.
    #[error("{at} answers {status}: {words}")]
    Refused {
        /// The session.
        at: At,
        /// The status code.
        status: u16,
        /// The server's words.
        words: String,
    },
    /// An answer that cannot be understood.
    #[error("{at} answers something that is no answer of a Core node: {why}")]
    Odd {
        /// The session.
        at: At,
        /// What is wrong with it.
        why: String,
    },
    /// It took too long.
    #[error("{at} has no result after {after:?}")]
    TooLong {
        /// The session.
        at: At,
        /// How long was waited.
        after: Duration,
    },
    /// What should be sent cannot be read.
    #[error("{} cannot be read: {error}", path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// A text that is no [`Ticket`](super::Ticket).
    #[error("\"{0}\" is no ticket of a session: {1}")]
    Ticket(String, &'static str),
    /// The client cannot be set up.
    #[error("no client can be made: {0}")]
    Setup(String),
}

impl Error {
    /// Whether the node of a session is gone or has forgotten it: what was sent can only be sent again.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::NodeGone { .. } | Self::WrongNode(_))
    }

    /// The error that an answer is, by its status code and words.
    pub(super) fn of_answer(at: At, status: u16, words: String) -> Self {
        match status {
            403 => Self::AccessDenied { at, words },
            411 => Self::LengthRequired { at, words },
            422 => Self::EmptyFile { at, words },
            400 if words.contains("another instance") => Self::BatchElsewhere { at, words },
            500 if words.to_lowercase().contains("license") => Self::LicenseExpired { at, words },
            500 => Self::ScanFailed { at, words },
            _ => Self::Refused { at, status, words },
        }
    }
}

fn list(tried: &Tried) -> String {
    let shown: Vec<_> = tried.iter().map(|(address, why)| format!("{address} ({why})")).collect();
    if shown.is_empty() { "none has an address".to_owned() } else { shown.join(", ") }
}
