//! Timeouts that the API and its client share.

use std::time::Duration;

/// How long a command waits for its response, and how long the server keeps a connection for it.
pub(super) const CONNECTION: Duration = Duration::from_secs(30);

/// Longest wait for an event, in seconds; shorter than a connection lasts.
pub(super) const LONGEST_EVENT_WAIT: u64 = 20;
