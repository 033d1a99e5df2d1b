//! Why the search for a node skipped an address.
//!
//! The search and [`exchange`](crate::exchange) create skip reasons before a session exists; an
//! [`Error`](crate::Error) lists them if no node is left.

use std::fmt;
use std::net::SocketAddr;

/// Why an address was skipped. The text is that of the system, of the TLS library or of the node.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SkipReason {
    /// The address does not accept connections.
    Unreachable(String),
    /// The node responded with 503; holds its message.
    Busy(String),
    /// The certificate of the node is not valid for the shared name, or no trusted certificate has
    /// signed it.
    CertificateMismatch(String),
}

impl SkipReason {
    /// Returns true if a later attempt at the same address may succeed.
    pub(crate) fn is_transient(&self) -> bool {
        !matches!(self, Self::CertificateMismatch(_))
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unreachable(text) | Self::Busy(text) | Self::CertificateMismatch(text)) = self;
        f.write_str(text)
    }
}

/// An address that was skipped, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SkippedNode {
    /// The address.
    pub node: SocketAddr,
    /// Why it was skipped.
    pub reason: SkipReason,
}

impl fmt::Display for SkippedNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.node, self.reason)
    }
}
