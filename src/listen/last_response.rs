//! When a connection last had a response: the measure of its idle time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// When a connection last had a response. The connection writes it, and its listener reads it to
/// find the idlest connection. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct LastResponse {
    /// The start of the listener.
    started: Instant,
    /// When the connection was accepted.
    accepted: Instant,
    /// From the start of the listener; 0 before the first response.
    micros: Arc<AtomicU64>,
}

impl LastResponse {
    /// A connection that has just been accepted, by a listener that started at `started`.
    pub(super) fn new(started: Instant) -> Self {
        Self { started, accepted: Instant::now(), micros: Arc::default() }
    }

    /// Returns true before the first response.
    pub(super) fn is_none(&self) -> bool {
        self.micros.load(Ordering::Relaxed) == 0
    }

    /// When the connection became idle: at its last response, or when it was accepted.
    pub(super) fn idle_since(&self) -> Instant {
        let micros = self.micros.load(Ordering::Relaxed);
        self.accepted.max(self.started + Duration::from_micros(micros))
    }

    pub(super) fn set_now(&self) {
        // At least 1: 0 means that there is no response yet.
        self.micros.store((self.started.elapsed().as_micros() as u64).max(1), Ordering::Relaxed);
    }

    /// Waits until there has been no response for this time.
    pub(super) async fn idle_for(&self, time: Duration) {
        loop {
            let deadline = self.idle_since() + time;
            if deadline <= Instant::now() {
                return;
            }
            sleep_until(deadline).await;
        }
    }
}
