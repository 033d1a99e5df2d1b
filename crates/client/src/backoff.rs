//! Delays between attempts.
//!
//! Delays grow, so that a failing node is not flooded. They are jittered, so that clients do not
//! return at the same moment. They end at a deadline. The search for a node, polls and retries wait
//! with [`Backoff`]; waiting cannot fail.

use std::time::Duration;

use tokio::time::Instant;

/// Delays between two polls of a file or a batch.
pub(crate) const POLL_DELAYS: Delays = Delays::millis(100, 5000);

/// Timeouts are capped here: the clock cannot represent the sum of the current time and
/// `Duration::MAX`.
const MAX_TIMEOUT: Duration = Duration::from_secs(30 * 365 * 86_400);

/// The moment at which a timeout that starts now is over.
pub(crate) fn deadline_in(timeout: Duration) -> Instant {
    Instant::now() + timeout.min(MAX_TIMEOUT)
}

/// The first delay, and the bound that delays grow to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delays {
    pub(crate) first: Duration,
    pub(crate) max: Duration,
}

impl Delays {
    /// Delays in milliseconds.
    pub(crate) const fn millis(first: u64, max: u64) -> Self {
        Self { first: Duration::from_millis(first), max: Duration::from_millis(max) }
    }
}

/// Growing delays until a deadline.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    next: Duration,
    max: Duration,
    deadline: Instant,
}

impl Backoff {
    /// Delays until a deadline.
    pub(crate) fn until(deadline: Instant, delays: Delays) -> Self {
        Self { next: delays.first, max: delays.max, deadline }
    }

    /// Delays for a timeout that starts now.
    pub(crate) fn within(timeout: Duration, delays: Delays) -> Self {
        Self::until(deadline_in(timeout), delays)
    }

    /// Waits before the next attempt, but not beyond the deadline; returns true if that attempt is
    /// due. The last attempt takes place at the deadline; after it, returns false without waiting.
    /// The base delay grows by a factor of 1.5 up to `max`; each wait differs from it by up to
    /// 20 %.
    pub(crate) async fn wait(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.deadline {
            return false;
        }
        let delay = self.next.mul_f64(0.8 + 0.4 * fastrand::f64());
        self.next = (self.next * 3 / 2).min(self.max);
        tokio::time::sleep_until((now + delay).min(self.deadline)).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn delays_grow_and_the_last_attempt_is_at_the_deadline() {
        let start = Instant::now();
        let mut backoff = Backoff::within(Duration::from_secs(10), Delays::millis(1000, 3000));
        let mut attempts = Vec::new();
        while backoff.wait().await {
            attempts.push(start.elapsed());
        }
        assert_eq!(attempts.last(), Some(&Duration::from_secs(10)));
        assert!((4..=7).contains(&attempts.len()), "{attempts:?}");
        assert!(
            attempts[0] >= Duration::from_millis(800) && attempts[0] <= Duration::from_millis(1200),
            "{attempts:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_timeout_does_not_overflow_the_clock() {
        assert!(Backoff::within(Duration::MAX, Delays::millis(0, 0)).wait().await);
    }
}
