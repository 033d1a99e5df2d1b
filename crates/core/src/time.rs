//! Moments, as arguments: nothing in this crate reads a clock.

use std::time::{Duration, Instant, UNIX_EPOCH};

/// The last second that RFC 3339 can write: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// The present, as the caller's two clocks show it.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Monotonic, for durations.
    pub instant: Instant,
    /// Wall clock: seconds since 1970, for what is stored or shown.
    pub unix: u64,
}

/// Formats seconds since 1970 in UTC: `2026-11-20T14:00:00Z`.
pub fn format_utc(unix: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(unix.min(LAST_SECOND))).to_string()
}
