//! The clocks: the only place that reads them for what the core decides.

use std::time::{SystemTime, UNIX_EPOCH};

use evenkeel_core::time::Now;
use tokio::time::Instant;

/// Seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Both clocks. The monotonic one is tokio's, which tests can pause.
pub(crate) fn now() -> Now {
    Now { instant: Instant::now().into_std(), unix: unix_now() }
}
