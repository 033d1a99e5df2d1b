//! One responder for all connections of a listener.
//!
//! It is behind a lock, because a query over a stream costs far more than a lock.

use std::sync::{Arc, Mutex, PoisonError};

use evenkeel_core::counters::WorkerCounters;
use evenkeel_core::respond::{Responder, Transport};
use evenkeel_core::snapshot::Snapshot;

/// A responder behind a lock; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct StreamResponder(Arc<Mutex<Responder>>);

impl StreamResponder {
    pub(super) fn new(counters: WorkerCounters) -> Self {
        Self(Arc::new(Mutex::new(Responder::new(counters))))
    }

    /// Writes the response to a message of a stream into `out`. Returns false if the message gets
    /// no response.
    #[must_use]
    pub(super) fn respond(&self, message: &[u8], snapshot: &Snapshot, out: &mut Vec<u8>) -> bool {
        // Counters stay valid after a panic, so lock poisoning is ignored.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).respond(message, Transport::Tcp(None), snapshot, out)
    }
}
