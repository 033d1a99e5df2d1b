//! Throttles log lines that clients or nodes could cause without end.

use std::time::{Duration, Instant};

/// Shortest time between two lines about one matter.
const INTERVAL: Duration = Duration::from_secs(10);

/// When the last line about one matter was written.
#[derive(Debug, Default)]
pub(crate) struct LogThrottle(Option<Instant>);

impl LogThrottle {
    /// Returns true if a line may be written now, and counts it as written.
    pub(crate) fn is_due(&mut self) -> bool {
        let is_due = self.0.is_none_or(|last| last.elapsed() > INTERVAL);
        if is_due {
            self.0 = Some(Instant::now());
        }
        is_due
    }
}
