//! Waits between tries: they grow, so that a node is not hammered, differ, so that clients do not come back at the same
//! moment, and end.

use std::time::Duration;

use tokio::time::Instant;

/// Longer than anybody waits; sums with it are moments that the clock has.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 86_400);

/// When a time of this length that begins now is over.
pub(super) fn end_of(time: Duration) -> Instant {
    Instant::now() + time.min(FOREVER)
}

/// Growing waits within a time.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    next: Duration,
    longest: Duration,
    until: Instant,
}

impl Backoff {
    /// Waits between `first` and `longest` until a moment.
    pub(super) fn until(until: Instant, (first, longest): (Duration, Duration)) -> Self {
        Self { next: first, longest, until }
    }

    /// The same for a time that begins now.
    pub(super) fn within(time: Duration, waits: (Duration, Duration)) -> Self {
        Self::until(end_of(time), waits)
    }

    /// Waits before the next try, half as long again as before the one before, give or take a fifth, and not beyond the
    /// end. Then there is one more try; false when that has been.
    pub(super) async fn wait(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.until {
            return false;
        }
        let wait = self.next.mul_f64(0.8 + 0.4 * fastrand::f64());
        self.next = (self.next * 3 / 2).min(self.longest);
        tokio::time::sleep_until((now + wait).min(self.until)).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_grow_and_end_with_a_last_try_at_the_limit() {
        let began = Instant::now();
        let mut backoff = Backoff::within(Duration::from_secs(10), (Duration::from_secs(1), Duration::from_secs(3)));
        let mut tries = Vec::new();
        while backoff.wait().await {
            tries.push(began.elapsed());
        }
        assert_eq!(tries.last(), Some(&Duration::from_secs(10)));
        assert!((4..=7).contains(&tries.len()), "{tries:?}");
        assert!(tries[0] >= Duration::from_millis(800) && tries[0] <= Duration::from_millis(1200), "{tries:?}");
        // No time is too long for the clock.
        assert!(Backoff::within(Duration::MAX, (Duration::ZERO, Duration::ZERO)).wait().await);
    }
}
