//! Why the search for a node skipped an address.
//!
//! The search and [`exchange`](crate::exchange) create skip reasons before a session exists; an
//! [`Error`](crate::Error) lists them if no node is left.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

/// Maximum number of addresses that the text of an error names per reason.
const MAX_NAMED: usize = 3;

/// Why an address was skipped. The text is that of the system, of the TLS library or of the node.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum SkipReason {
    /// The address does not accept connections, or breaks them; or a balancer cannot reach the node
    /// (502, 504).
    Unreachable(String),
    /// The node responded with 503; holds its message.
    Busy(String),
    /// The node accepts no session for now, because its license has expired or its disk is full;
    /// holds its message.
    Refused(String),
    /// The certificate of the node is not valid for the shared name, or no trusted certificate has
    /// signed it.
    CertificateMismatch(String),
    /// The node does not speak HTTP, or not over the versions of TLS that the client supports.
    ProtocolMismatch(String),
    /// The deadline was over before the address accepted a connection, or responded.
    DeadlineReached,
}

impl SkipReason {
    /// Returns true if a later attempt at the same address may succeed.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Busy(_) | Self::DeadlineReached)
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(text)
            | Self::Busy(text)
            | Self::Refused(text)
            | Self::CertificateMismatch(text)
            | Self::ProtocolMismatch(text) => f.write_str(text),
            Self::DeadlineReached => f.write_str("no response before the deadline"),
        }
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

/// Skipped addresses by their reasons, in one short line.
pub(crate) fn describe(skipped: &[SkippedNode]) -> String {
    let mut by_reason: BTreeMap<&SkipReason, Vec<SocketAddr>> = BTreeMap::new();
    for skipped in skipped {
        by_reason.entry(&skipped.reason).or_default().push(skipped.node);
    }
    let describe = |(reason, nodes): (&SkipReason, Vec<SocketAddr>)| {
        let named: Vec<_> = nodes.iter().take(MAX_NAMED).map(ToString::to_string).collect();
        let more = match nodes.len().saturating_sub(MAX_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{}{more} ({reason})", named.join(", "))
    };
    let mut reasons: Vec<String> = by_reason.into_iter().map(describe).collect();
    match reasons.len() {
        0 => "no address was tried".to_owned(),
        len if len > MAX_NAMED => {
            reasons.truncate(MAX_NAMED);
            format!("{}; and {} more reasons", reasons.join("; "), len - MAX_NAMED)
        }
        _ => reasons.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_addresses_are_one_short_line() {
        let skipped =
            |at: u8, reason: &SkipReason| SkippedNode { node: ([10, 0, at, 1], 8008).into(), reason: reason.clone() };
        let refused = SkipReason::Unreachable("connection refused".to_owned());
        let busy = SkipReason::Busy("too busy".to_owned());
        assert_eq!(describe(&[]), "no address was tried");
        let two = [skipped(1, &refused), skipped(2, &busy), skipped(3, &refused)];
        assert_eq!(describe(&two), "10.0.1.1:8008, 10.0.3.1:8008 (connection refused); 10.0.2.1:8008 (too busy)");
        let many: Vec<_> = (0..=255).map(|at| skipped(at, &refused)).collect();
        assert_eq!(describe(&many), "10.0.0.1:8008, 10.0.1.1:8008, 10.0.2.1:8008 and 253 more (connection refused)");
    }
}
