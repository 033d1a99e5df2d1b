//! One responder for all connections of a listener.
//!
//! It is behind a lock, because a query over a stream costs far more than a lock.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use evenkeel_core::counters::WorkerCounters;
use evenkeel_core::respond::{Client, Responder, Sender, Transport};
use evenkeel_core::snapshot::CurrentSnapshot;

use crate::clock;

/// A responder behind a lock, which answers from the current snapshot; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct StreamResponder {
    responder: Arc<Mutex<Responder>>,
    transport: Transport,
    current: CurrentSnapshot,
    /// The client of the connection.
    client: Option<IpAddr>,
}

impl StreamResponder {
    pub(super) fn new(counters: WorkerCounters, transport: Transport, current: CurrentSnapshot) -> Self {
        Self { responder: Arc::new(Mutex::new(Responder::new(counters))), transport, current, client: None }
    }

    /// The responder for a connection of this client.
    pub(super) fn for_client(&self, client: IpAddr) -> Self {
        Self { client: Some(client), ..self.clone() }
    }

    /// Writes the response to a message of a stream into `out`. Returns false if the message gets
    /// no response.
    #[must_use]
    pub(super) fn respond(&self, message: &[u8], out: &mut Vec<u8>) -> bool {
        // Released on return: a slow client must not keep the snapshot.
        let snapshot = self.current.load();
        // Counters stay valid after a panic, so lock poisoning is ignored.
        let mut responder = self.responder.lock().unwrap_or_else(PoisonError::into_inner);
        let client = self.client.map(|address| Client { address, now: clock::now() });
        responder.respond(message, Sender { transport: self.transport, client }, &snapshot, out)
    }
}
