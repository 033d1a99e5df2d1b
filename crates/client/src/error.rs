//! What can go wrong with a session, with the node and the server's own words.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A session at a node, as errors and logs name it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
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
    /// 503 of the one node that could have answered: of a session there is no other one.
    #[error("{at} is too busy: {words}")]
    TooBusy {
        /// The session.
        at: At,
        /// The server's words.
        words: String,
    },
    /// The balancer has set no cookie when the session began, so what follows would not find its node.
    #[error("no cookie came with the answer of {0} that began a session: what follows would not find its node")]
    NoCookie(At),
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
    #[error("{name} cannot be read: {error}")]
    Source {
        /// The path of the file, or the name under which it is sent.
        name: String,
        /// The system's error.
        #[source]
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
    /// Whether the node of a session is gone or has forgotten it: what was sent can only be sent again. A batch that is
    /// sent where it was opened, and belongs elsewhere, was opened before that node was started again.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::NodeGone { .. } | Self::WrongNode(_) | Self::BatchElsewhere { .. })
    }

    /// The node, and the session if there was one.
    pub fn at(&self) -> Option<&At> {
        match self {
            Self::NodeGone { at, .. }
            | Self::WrongNode(at)
            | Self::AccessDenied { at, .. }
            | Self::EmptyFile { at, .. }
            | Self::LengthRequired { at, .. }
            | Self::LicenseExpired { at, .. }
            | Self::ScanFailed { at, .. }
            | Self::BatchElsewhere { at, .. }
            | Self::TooBusy { at, .. }
            | Self::NoCookie(at)
            | Self::Refused { at, .. }
            | Self::Odd { at, .. }
            | Self::TooLong { at, .. } => Some(at),
            Self::Url(..)
            | Self::Resolve { .. }
            | Self::NoNode { .. }
            | Self::Busy { .. }
            | Self::Source { .. }
            | Self::Ticket(..)
            | Self::Setup(_) => None,
        }
    }

    /// Whether it may be another answer in a moment: the node could not be reached, or a balancer in between could not.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::NodeGone { .. } | Self::TooBusy { .. } | Self::Refused { status: 502 | 504, .. })
    }

    /// Whether the node says that what was asked cannot be done (4xx).
    pub(super) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::AccessDenied { .. }
                | Self::EmptyFile { .. }
                | Self::LengthRequired { .. }
                | Self::BatchElsewhere { .. }
                | Self::Refused { status: 400..=499, .. }
        )
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
            503 => Self::TooBusy { at, words },
            _ => Self::Refused { at, status, words },
        }
    }
}

fn list(tried: &Tried) -> String {
    let shown: Vec<_> = tried.iter().map(|(address, why)| format!("{address} ({why})")).collect();
    if shown.is_empty() { "none was tried".to_owned() } else { shown.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_answer_has_a_variant_with_its_words() {
        for (status, words, shown) in [
            (400, "Cannot scan batch in another instance.", "the batch belongs to another node than 10.0.0.11:8008"),
            (403, "Access denied", "10.0.0.11:8008 denies access"),
            (411, "Missing Content-Length header.", "10.0.0.11:8008 wants a length"),
            (422, "File is empty.", "10.0.0.11:8008 takes no empty file"),
            (500, "License is expired", "10.0.0.11:8008 has no valid license"),
            (500, "Failed to request scan. Try again later.", "10.0.0.11:8008 failed to scan"),
            (503, "Server is too busy. Try again later.", "10.0.0.11:8008 is too busy"),
            (418, "Something else", "10.0.0.11:8008 answers 418"),
        ] {
            let at = At { node: ([10, 0, 0, 11], 8008).into(), session: None };
            let error = Error::of_answer(at, status, words.to_owned());
            assert_eq!(error.to_string(), format!("{shown}: {words}"));
            assert_eq!(error.is_refusal(), status < 500, "{error}");
            assert_eq!(error.is_lost(), status == 400);
        }
    }
}
