//! Timeouts that the API and its client share.

use std::time::Duration;

/// Longest time that a command waits for its response, and that the server keeps a connection.
pub(super) const CONNECTION: Duration = Duration::from_secs(30);

/// Longest wait for an event, in seconds. It must be shorter than [`CONNECTION`].
pub(super) const LONGEST_EVENT_WAIT: u64 = 20;
