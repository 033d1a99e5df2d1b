//! One QUIC connection (RFC 9250): one query per stream, answered in any order.
//!
//! [`super::quic`] runs it as a task. It ends when the client closes it or breaks a rule, after the
//! idle timeout, or when the listener stops.

use std::time::Duration;

use quinn::{Connection, Incoming, ReadToEndError, RecvStream, SendStream, VarInt};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::handshakes::Handshake;
use super::limits::{HANDSHAKE, MAX_QUERY};
use super::quic_query::{self, ProtocolError};
use crate::listen::last_response::LastResponse;
use crate::listen::stream_connection::FIRST_QUERY;
use crate::listen::stream_responder::StreamResponder;

/// `DOQ_NO_ERROR` (RFC 9250 §8.4), as those that follow.
const NO_ERROR: VarInt = VarInt::from_u32(0);

/// `DOQ_PROTOCOL_ERROR`.
const PROTOCOL_ERROR: VarInt = VarInt::from_u32(2);

/// `DOQ_EXCESSIVE_LOAD`.
const EXCESSIVE_LOAD: VarInt = VarInt::from_u32(4);

/// `DOQ_UNSPECIFIED_ERROR`.
const UNSPECIFIED_ERROR: VarInt = VarInt::from_u32(5);

/// What a connection needs to answer.
pub(super) struct QuicConnection {
    pub(super) responder: StreamResponder,
    pub(super) idle_timeout: Duration,
    pub(super) last_response: LastResponse,
    pub(super) stop: CancellationToken,
}

impl QuicConnection {
    /// Shakes hands, and answers until the connection ends.
    pub(super) async fn serve(self, incoming: Incoming, handshake: Handshake) {
        let Ok(connecting) = incoming.accept() else { return };
        let shaken = tokio::select! {
            shaken = timeout(HANDSHAKE.min(self.idle_timeout), connecting) => shaken,
            () = self.stop.cancelled() => return,
        };
        let Ok(shaken) = shaken else { return };
        let Ok(connection) = shaken.inspect_err(|error| debug!("a QUIC handshake has failed: {error}")) else {
            return;
        };
        drop(handshake);
        let mut streams = JoinSet::new();
        let code = loop {
            tokio::select! {
                biased;
                Some(ended) = streams.join_next() => if matches!(ended, Ok(Err(ProtocolError))) {
                    break PROTOCOL_ERROR;
                },
                opened = connection.accept_bi() => match opened {
                    Ok((send, receive)) => drop(streams.spawn(self.stream().answer(send, receive))),
                    Err(_) => return,
                },
                () = self.last_response.idle_for(self.idle_timeout) => break NO_ERROR,
                () = self.stop.cancelled() => {
                    self.answer_rest(&connection, &mut streams).await;
                    break NO_ERROR;
                }
            }
        };
        connection.close(code, b"");
    }

    /// Answers the queries that have arrived when the listener stops. A client that has just
    /// connected gets some time for its first query.
    async fn answer_rest(&self, connection: &Connection, streams: &mut JoinSet<Result<(), ProtocolError>>) {
        let mut wait = if self.last_response.is_none() && streams.is_empty() { FIRST_QUERY } else { Duration::ZERO };
        while let Ok(Ok((send, receive))) = timeout(wait, connection.accept_bi()).await {
            streams.spawn(self.stream().answer(send, receive));
            wait = Duration::ZERO;
        }
        while streams.join_next().await.is_some() {}
    }

    fn stream(&self) -> Stream {
        let Self { responder, idle_timeout, last_response, .. } = self;
        Stream { responder: responder.clone(), idle_timeout: *idle_timeout, last_response: last_response.clone() }
    }
}

/// What a stream needs to answer.
struct Stream {
    responder: StreamResponder,
    idle_timeout: Duration,
    last_response: LastResponse,
}

impl Stream {
    /// Answers the query of one stream. A client that goes away, or is slow, only ends the stream.
    ///
    /// # Errors
    /// The client breaks a rule, and the connection must end.
    async fn answer(self, mut send: SendStream, mut receive: RecvStream) -> Result<(), ProtocolError> {
        let content = match timeout(self.idle_timeout, receive.read_to_end(2 + MAX_QUERY)).await {
            Ok(Ok(content)) => content,
            Ok(Err(ReadToEndError::Read(_))) => return Ok(()),
            Ok(Err(ReadToEndError::TooLong)) | Err(_) => {
                // Both fail only if the client has closed the stream already.
                let _ = receive.stop(EXCESSIVE_LOAD);
                let _ = send.reset(EXCESSIVE_LOAD);
                return Ok(());
            }
        };
        let message = quic_query::read(&content).inspect_err(|_| {
            // Otherwise the stream would end without an error, which is no response.
            let _ = send.reset(PROTOCOL_ERROR);
        })?;
        let mut response = Vec::new();
        if !self.responder.respond(message, &mut response) {
            let _ = send.reset(UNSPECIFIED_ERROR);
            return Ok(());
        }
        self.last_response.set_now();
        let deliver = async {
            let len = (response.len() as u16).to_be_bytes();
            send.write_all(&[&len, response.as_slice()].concat()).await.ok()?;
            send.finish().ok()?;
            // Until the client has everything: closing the connection would drop the rest.
            send.stopped().await.ok()
        };
        let _ = timeout(self.idle_timeout, deliver).await;
        Ok(())
    }
}
