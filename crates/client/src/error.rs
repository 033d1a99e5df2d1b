//! The error type of all operations of this crate. An error that comes from a node has the node,
//! the session and, if there is one, the message of the node.
//!
//! Each documented status has a variant, so that callers match on variants and not on text. The
//! exception is a status 400 for any reason other than a batch at another node: it is an
//! [`Error::UnexpectedStatus`].

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::resolve::ResolveError;
use crate::skip::{SkippedNode, describe};

/// A node and, once there is one, the session at it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SessionRef {
    /// The node.
    pub node: SocketAddr,
    /// The `data_id` or `batch_id`; none before the node has given one.
    pub id: Option<String>,
}

impl fmt::Display for SessionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "node {} (session {id})", self.node),
            None => write!(f, "node {}", self.node),
        }
    }
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL of the cluster is invalid.
    #[error("\"{url}\" is not the URL of a cluster: {reason}; use for example http://core.lb.example:8008")]
    InvalidUrl {
        /// The URL.
        url: String,
        /// What is invalid.
        reason: String,
    },
    /// The shared name cannot be resolved.
    #[error("{name} cannot be resolved: {reason}")]
    Resolve {
        /// The shared name.
        name: String,
        /// Why not.
        reason: ResolveError,
    },
    /// Every node was skipped until the deadline, none of them because it was busy.
    #[error("no node of {name} can be reached: {}", describe(.skipped))]
    NoNodeReachable {
        /// The shared name.
        name: String,
        /// The addresses of the latest round, and why each was skipped.
        skipped: Vec<SkippedNode>,
    },
    /// Every node was skipped until the deadline, at least one because it was busy.
    #[error("all nodes of {name} are too busy: {}", describe(.skipped))]
    AllNodesBusy {
        /// The shared name.
        name: String,
        /// The addresses of the latest round, and why each was skipped.
        skipped: Vec<SkippedNode>,
    },
    /// The node of a session cannot be reached. The session is lost: no other node knows it.
    #[error("{session} is gone: {reason}")]
    NodeGone {
        /// The session.
        session: SessionRef,
        /// What happened to the connection.
        reason: String,
    },
    /// The node broke the connection during each upload of a file, but still knows the batch: only
    /// this file is not in it.
    #[error("{session} broke off the upload: {reason}")]
    UploadBroken {
        /// The batch.
        session: SessionRef,
        /// What happened to the connection.
        reason: String,
    },
    /// The node does not know the session: it was restarted, or the request reached a node other
    /// than the one that started the session.
    #[error("{0} does not know the session")]
    UnknownSession(SessionRef),
    /// Status 403.
    #[error("{session} denied access: {message}")]
    AccessDenied {
        /// The session.
        session: SessionRef,
        /// The message of the node.
        message: String,
    },
    /// Status 422.
    #[error("{session} refused an empty file: {message}")]
    EmptyFile {
        /// The session.
        session: SessionRef,
        /// The message of the node.
        message: String,
    },
    /// Status 411.
    #[error("{session} requires a Content-Length: {message}")]
    LengthRequired {
        /// The session.
        session: SessionRef,
        /// The message of the node.
        message: String,
    },
    /// Status 500 with a message about the license.
    #[error("{session} has no valid license: {message}")]
    LicenseExpired {
        /// The session.
        session: SessionRef,
        /// The message of the node.
        message: String,
    },
    /// Status 500 with any other message.
    #[error("{session} failed to scan: {message}")]
    ScanFailed {
        /// The session.
        session: SessionRef,
        /// The message of the node.
        message: String,
    },
    /// Status 400 because the batch was opened at another node, or before this node was restarted.
    #[error("the batch is not at {session}: {message}")]
    BatchOnOtherNode {
        /// The session.
        session: SessionRef,
        /// The message of the node.
        message: String,
    },
    /// Status 503 for a request of an existing session, which no other node can serve.
    #[error("{session} is too busy: {message}")]
    NodeBusy {
        /// The session.
        session: SessionRef,
        /// The message of the node.
        message: String,
    },
    /// The balancer set no cookie when the session started, so it cannot route later requests to
    /// the node.
    #[error("no cookie came with the response of {0} that started a session, so later requests may reach another node")]
    MissingCookie(SessionRef),
    /// Any other status that is not a success.
    #[error("{session} responded with status {status}: {message}")]
    UnexpectedStatus {
        /// The session.
        session: SessionRef,
        /// The status code.
        status: u16,
        /// The message of the node.
        message: String,
    },
    /// The response is not one of MetaDefender Core.
    #[error("{session} sent an invalid response: {reason}")]
    InvalidResponse {
        /// The session.
        session: SessionRef,
        /// What is invalid.
        reason: String,
    },
    /// The node has no sanitized copy of the file.
    #[error("{0} has no sanitized file")]
    NotSanitized(SessionRef),
    /// The node knows the batch, but has no signed result of it.
    #[error("{0} has no signed result")]
    NotSigned(SessionRef),
    /// There was no result, or the batch did not close, within `result_timeout`.
    #[error("{session} has no result after {timeout:?}")]
    ResultTimeout {
        /// The session.
        session: SessionRef,
        /// The timeout.
        timeout: Duration,
    },
    /// The file, or another source, cannot be read.
    #[error("{name} cannot be read: {error}")]
    SourceUnreadable {
        /// The path of the file, or the name under which the source is sent.
        name: String,
        /// The error of the system. The text contains it, so it is not the source, too.
        error: io::Error,
    },
    /// The file changed while it was sent, so a verdict would be about different content.
    #[error("{name} changed while it was sent")]
    SourceChanged {
        /// The path of the file, or the name under which it is sent.
        name: String,
    },
    /// A text is not a [`Ticket`](crate::Ticket), or the ticket is not for this cluster.
    #[error("the ticket \"{ticket}\" cannot be used: {reason}")]
    InvalidTicket {
        /// The first three words of the text; a cookie would follow.
        ticket: String,
        /// What is invalid.
        reason: &'static str,
    },
    /// A text is not an MD5, SHA-1 or SHA-256 in hexadecimal.
    #[error("\"{0}\" is not an MD5, SHA-1 or SHA-256 in hexadecimal")]
    InvalidHash(String),
    /// The HTTP client, the TLS configuration or the resolver cannot be set up.
    #[error("the client cannot be set up: {0}")]
    Setup(String),
}

impl Error {
    /// Returns true if the session is lost: its node is gone or no longer knows it. The file or the
    /// batch can only be sent again, in a new session.
    pub fn is_session_lost(&self) -> bool {
        matches!(self, Self::NodeGone { .. } | Self::UnknownSession(_) | Self::BatchOnOtherNode { .. })
    }

    /// The node, and the session at it; none if the error happened before a node was chosen.
    pub fn session(&self) -> Option<&SessionRef> {
        match self {
            Self::NodeGone { session, .. }
            | Self::UploadBroken { session, .. }
            | Self::UnknownSession(session)
            | Self::NotSanitized(session)
            | Self::NotSigned(session)
            | Self::AccessDenied { session, .. }
            | Self::EmptyFile { session, .. }
            | Self::LengthRequired { session, .. }
            | Self::LicenseExpired { session, .. }
            | Self::ScanFailed { session, .. }
            | Self::BatchOnOtherNode { session, .. }
            | Self::NodeBusy { session, .. }
            | Self::MissingCookie(session)
            | Self::UnexpectedStatus { session, .. }
            | Self::InvalidResponse { session, .. }
            | Self::ResultTimeout { session, .. } => Some(session),
            Self::InvalidUrl { .. }
            | Self::Resolve { .. }
            | Self::NoNodeReachable { .. }
            | Self::AllNodesBusy { .. }
            | Self::SourceUnreadable { .. }
            | Self::SourceChanged { .. }
            | Self::InvalidHash(_)
            | Self::InvalidTicket { .. }
            | Self::Setup(_) => None,
        }
    }

    /// Returns true if a retry may succeed: the node, or a balancer in front of it, could not serve
    /// the request now.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::NodeGone { .. } | Self::NodeBusy { .. } | Self::UnexpectedStatus { status: 502 | 504, .. })
    }

    /// Returns true if no later request of the session can succeed, or no time is left for one.
    pub(crate) fn ends_session(&self) -> bool {
        matches!(
            self,
            Self::NodeGone { .. } | Self::UnknownSession(_) | Self::AccessDenied { .. } | Self::ResultTimeout { .. }
        )
    }

    /// Returns true if the node failed with an error of its own (5xx) that may pass.
    pub(crate) fn is_server_error(&self) -> bool {
        matches!(self, Self::ScanFailed { .. } | Self::UnexpectedStatus { status: 500..=599, .. })
    }

    /// Returns true if the node accepts no session for now, whatever is sent: its license has
    /// expired (a hot backup has none), or its disk is full.
    pub(crate) fn is_node_unfit(&self) -> bool {
        match self {
            Self::LicenseExpired { .. } => true,
            Self::UnexpectedStatus { status: 400, message, .. } => message.to_lowercase().contains("disk space"),
            _ => false,
        }
    }

    /// The error for a response that is not a success. Statuses 400 and 500 have several documented
    /// causes, and only the message of the node distinguishes them.
    pub(crate) fn from_response(session: SessionRef, status: u16, message: String) -> Self {
        match status {
            400 if message.contains("another instance") || message.contains("given batch") => {
                Self::BatchOnOtherNode { session, message }
            }
            403 => Self::AccessDenied { session, message },
            411 => Self::LengthRequired { session, message },
            422 => Self::EmptyFile { session, message },
            500 if message.to_lowercase().contains("license") => Self::LicenseExpired { session, message },
            500 => Self::ScanFailed { session, message },
            503 => Self::NodeBusy { session, message },
            _ => Self::UnexpectedStatus { session, status, message },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Programs that print an error with its sources would print the inner one twice.
    #[test]
    fn an_error_in_the_text_is_not_the_source_too() {
        let error = Error::SourceUnreadable { name: "a".to_owned(), error: io::Error::other("torn") };
        assert_eq!(error.to_string(), "a cannot be read: torn");
        assert!(std::error::Error::source(&error).is_none());
    }

    #[test]
    fn every_documented_status_has_a_variant_with_the_message_of_the_node() {
        for (status, message, prefix) in [
            (400, "Cannot scan batch in another instance.", "the batch is not at node 10.0.0.11:8008"),
            (400, "Can not scan in given batch.", "the batch is not at node 10.0.0.11:8008"),
            (403, "Access denied", "node 10.0.0.11:8008 denied access"),
            (411, "Missing Content-Length header.", "node 10.0.0.11:8008 requires a Content-Length"),
            (422, "File is empty.", "node 10.0.0.11:8008 refused an empty file"),
            (500, "License is expired", "node 10.0.0.11:8008 has no valid license"),
            (500, "Failed to request scan. Try again later.", "node 10.0.0.11:8008 failed to scan"),
            (503, "Server is too busy. Try again later.", "node 10.0.0.11:8008 is too busy"),
            (418, "Something else", "node 10.0.0.11:8008 responded with status 418"),
        ] {
            let session = SessionRef { node: ([10, 0, 0, 11], 8008).into(), id: None };
            let error = Error::from_response(session, status, message.to_owned());
            assert_eq!(error.to_string(), format!("{prefix}: {message}"));
            assert_eq!(error.is_session_lost(), status == 400);
        }
    }
}
