//! The clocks. The core reads no clock: the server reads the time here and passes it in.

use std::time::{SystemTime, UNIX_EPOCH};

use evenkeel_core::time::Now;
use tokio::time::Instant;

/// The Unix time in seconds, or 0 if the clock is set to an earlier time.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The time of both clocks. The monotonic clock is the one of tokio, which tests can pause.
pub(crate) fn now() -> Now {
    Now { instant: Instant::now().into_std(), unix: unix_now() }
}
