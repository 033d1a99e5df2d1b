//! Waits that grow, and differ, so that clients do not come back at the same moment.

use std::time::Duration;

/// Growing waits.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    /// The next wait: half as long again as the one before, give or take a fifth.
    pub(super) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 3 / 2).min(self.longest);
        wait.mul_f64(0.8 + 0.4 * fastrand::f64())
    }
}
