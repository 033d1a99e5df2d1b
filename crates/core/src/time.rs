//! Moments. They are arguments: no code of this crate reads a clock, so that tests choose the time.

use std::time::{Duration, Instant, UNIX_EPOCH};

/// The last second that RFC 3339 can write, in the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// The present moment, by both clocks of the caller.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// By the monotonic clock, for durations.
    pub instant: Instant,
    /// Unix time by the wall clock, in seconds: for state files and for users.
    pub unix: u64,
}

/// Formats a Unix time, in seconds, in UTC: `2026-11-20T14:00:00Z`.
pub fn format_utc(unix: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(unix.min(LAST_SECOND))).to_string()
}
