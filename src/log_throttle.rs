//! Throttles log lines that clients or nodes can cause in any number.

use std::time::{Duration, Instant};

/// Shortest time between two lines about the same subject.
const INTERVAL: Duration = Duration::from_secs(10);

/// The time of the last line about one subject. Each subject has its own throttle.
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
