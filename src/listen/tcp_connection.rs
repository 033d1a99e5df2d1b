//! One TCP connection (RFC 7766): pipelined queries, answered in their order.
//!
//! [`super::tcp`] runs it as a task. It ends when the client closes it, after the idle timeout, on
//! an error, or when the listener stops. Nothing is logged: the client sees that it has ended.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::stream_responder::StreamResponder;
use evenkeel_core::snapshot::CurrentSnapshot;

/// Longest wait for the first query of a connection, once the listener is told to stop.
const FIRST_QUERY: Duration = Duration::from_millis(200);

/// Responses are gathered up to this size before they are sent, in bytes.
const SEND_SIZE: usize = 16 * 1024;

/// When a connection last had a response. The listener reads it to find the idlest connection.
#[derive(Clone)]
pub(super) struct LastResponse {
    /// The start of the listener.
    started: Instant,
    /// From the start of the listener; 0 before the first response.
    micros: Arc<AtomicU64>,
}

impl LastResponse {
    pub(super) fn new(started: Instant) -> Self {
        Self { started, micros: Arc::default() }
    }

    /// Microseconds from the start of the listener. None before the first response.
    pub(super) fn micros(&self) -> Option<u64> {
        Some(self.micros.load(Ordering::Relaxed)).filter(|&micros| micros > 0)
    }

    fn set_now(&self) {
        self.micros.store(self.started.elapsed().as_micros() as u64, Ordering::Relaxed);
    }
}

/// One connection.
pub(super) struct Connection {
    stream: TcpStream,
    current: CurrentSnapshot,
    responder: StreamResponder,
    idle_timeout: Duration,
    last_response: LastResponse,
    /// Bytes that are not a whole message yet.
    received: Vec<u8>,
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        current: CurrentSnapshot,
        responder: StreamResponder,
        idle_timeout: Duration,
        last_response: LastResponse,
    ) -> Self {
        Self { stream, current, responder, idle_timeout, last_response, received: Vec::new() }
    }

    /// Answers until the connection ends.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        // An error ends the connection, which is all that the client has to know.
        let _ = self.serve(&stop).await;
    }

    async fn serve(&mut self, stop: &CancellationToken) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        let mut deadline = Instant::now() + self.idle_timeout;
        loop {
            let received = tokio::select! {
                biased;
                received = timeout_at(deadline, self.stream.read_buf(&mut self.received)) => received??,
                () = stop.cancelled() => return self.stop(deadline).await,
            };
            let answered = self.answer_received().await?;
            if received == 0 {
                // The client sends nothing more. It may still read (RFC 7766 §6.2.1).
                return self.stream.shutdown().await;
            }
            if answered {
                deadline = Instant::now() + self.idle_timeout;
                self.last_response.set_now();
            }
        }
    }

    /// Answers the queries that have arrived. A client that has just connected gets some time to
    /// send its first query.
    async fn stop(&mut self, deadline: Instant) -> io::Result<()> {
        if !self.answer_received().await? && self.last_response.micros().is_none() {
            let deadline = deadline.min(Instant::now() + FIRST_QUERY);
            timeout_at(deadline, self.stream.read_buf(&mut self.received)).await??;
            self.answer_received().await?;
        }
        self.stream.shutdown().await
    }

    /// Answers the whole messages among the received bytes. Returns true if any had a response.
    async fn answer_received(&mut self) -> io::Result<bool> {
        let mut out = Vec::new();
        let mut response = Vec::new();
        let mut taken = 0;
        let mut answered = false;
        while let Some((len, rest)) = self.received[taken..].split_first_chunk::<2>() {
            let Some(message) = rest.get(..usize::from(u16::from_be_bytes(*len))) else {
                break;
            };
            taken += 2 + message.len();
            let snapshot = self.current.load();
            if self.responder.respond(message, &snapshot, &mut response) {
                out.extend((response.len() as u16).to_be_bytes());
                out.extend(&response);
                answered = true;
            }
            // A slow client must not keep the snapshot.
            drop(snapshot);
            if out.len() >= SEND_SIZE {
                self.send(&mut out).await?;
            }
        }
        self.received.drain(..taken);
        self.send(&mut out).await?;
        Ok(answered)
    }

    async fn send(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        timeout(self.idle_timeout, self.stream.write_all(out)).await??;
        out.clear();
        Ok(())
    }
}
