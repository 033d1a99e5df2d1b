//! One connection over TCP (RFC 7766) or TLS (RFC 7858): pipelined queries, answered in their order.
//!
//! [`super::tcp`] and [`super::encrypted`] run it as a task. It ends when the client closes it,
//! after the idle timeout, on an error, or when the listener stops. Nothing is logged: the client
//! sees that it has ended.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::last_response::LastResponse;
use super::stream_responder::StreamResponder;

/// Longest wait for the first query of a connection, once the listener is told to stop.
pub(super) const FIRST_QUERY: Duration = Duration::from_millis(200);

/// Responses are gathered up to this size before they are sent, in bytes.
const SEND_SIZE: usize = 16 * 1024;

/// Longest buffer that a connection keeps while it waits for the next query, in bytes.
const IDLE_CAPACITY: usize = 4096;

/// One connection.
pub(super) struct Connection<S> {
    stream: S,
    responder: StreamResponder,
    idle_timeout: Duration,
    last_response: LastResponse,
    /// Bytes that are not a whole message yet.
    received: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(
        stream: S,
        responder: StreamResponder,
        idle_timeout: Duration,
        last_response: LastResponse,
    ) -> Self {
        Self { stream, responder, idle_timeout, last_response, received: Vec::new() }
    }

    /// Answers until the connection ends.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        // An error ends the connection, which is all that the client has to know.
        let _ = self.serve(&stop).await;
    }

    async fn serve(&mut self, stop: &CancellationToken) -> io::Result<()> {
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
                return self.shutdown().await;
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
        if !self.answer_received().await? && self.last_response.is_none() {
            let deadline = deadline.min(Instant::now() + FIRST_QUERY);
            timeout_at(deadline, self.stream.read_buf(&mut self.received)).await??;
            self.answer_received().await?;
        }
        self.shutdown().await
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
            if self.responder.respond(message, &mut response) {
                out.extend((response.len() as u16).to_be_bytes());
                out.extend(&response);
                answered = true;
            }
            if out.len() >= SEND_SIZE {
                self.send(&mut out).await?;
            }
        }
        self.received.drain(..taken);
        if self.received.is_empty() && self.received.capacity() > IDLE_CAPACITY {
            self.received = Vec::new();
        }
        self.send(&mut out).await?;
        Ok(answered)
    }

    /// Ends the connection in order. Over TLS, this sends a message, which must not wait for ever.
    async fn shutdown(&mut self) -> io::Result<()> {
        timeout(self.idle_timeout, self.stream.shutdown()).await?
    }

    async fn send(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        let send = async {
            self.stream.write_all(out).await?;
            // TLS keeps what it has encrypted until it is flushed.
            self.stream.flush().await
        };
        timeout(self.idle_timeout, send).await??;
        out.clear();
        Ok(())
    }
}
