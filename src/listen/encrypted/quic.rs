//! The listener of DNS over QUIC (RFC 9250): accepts connections and bounds them.
//!
//! Each handshake runs in the task of its connection. While many run, or if the new connection
//! replaces another one, a client must first prove that it receives packets at its address (Retry,
//! RFC 9000 §8.1.2). So forged addresses cannot take the handshakes and connections of clients.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, EndpointConfig, IdleTimeout, Incoming, ServerConfig, TokioRuntime, TransportConfig};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::handshakes::{Handshakes, MAX_HANDSHAKES};
use super::limits::{MAX_QUERY, MAX_STREAMS};
use super::quic_connection::QuicConnection;
use crate::config::TcpLimits;
use crate::listen::connections::Connections;
use crate::listen::stream_responder::StreamResponder;

/// Handshakes that may run before addresses must be validated.
const UNVALIDATED_HANDSHAKES: usize = 32;

/// Bytes that a client may send before the server has looked at its first packet. Clients send a
/// few packets at most.
const INCOMING_BUFFER: u64 = 8 * 1024;

/// Bytes of a connection that have arrived and were not read yet, and bytes of its responses that
/// the client has not acknowledged yet.
const CONNECTION_WINDOW: u32 = 64 * 1024;

/// How long the last packets of a listener that stops may take.
const CLOSE_GRACE: Duration = Duration::from_millis(300);

/// A listener.
pub(super) struct QuicListener {
    endpoint: Endpoint,
    handshakes: Handshakes,
    responder: StreamResponder,
    limits: TcpLimits,
}

impl QuicListener {
    /// Starts to receive on a socket.
    ///
    /// # Errors
    /// The system's, and if the cryptography of this build lacks the cipher of QUIC.
    pub(super) fn new(
        socket: UdpSocket,
        tls: &Arc<rustls::ServerConfig>,
        responder: StreamResponder,
        limits: TcpLimits,
    ) -> io::Result<Self> {
        let config = server_config(tls, limits)?;
        let endpoint = Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(TokioRuntime))?;
        Ok(Self { endpoint, handshakes: Handshakes::default(), responder, limits })
    }

    /// Accepts and answers until `stop`, and then answers the queries that have arrived. Returns
    /// earlier if the socket fails.
    pub(super) async fn serve(self, stop: &CancellationToken) {
        let mut connections = Connections::new(self.limits.connections);
        loop {
            tokio::select! {
                incoming = self.endpoint.accept() => match incoming {
                    Some(incoming) => self.admit(incoming, &mut connections, stop),
                    None => return,
                },
                Some(()) = connections.ended() => {}
                () = stop.cancelled() => break,
            }
        }
        self.endpoint.set_server_config(None);
        connections.end().await;
        let _ = timeout(CLOSE_GRACE, self.endpoint.wait_idle()).await;
    }

    /// Serves a new connection, unless too many handshakes run or its address must be validated.
    fn admit(&self, incoming: Incoming, connections: &mut Connections, stop: &CancellationToken) {
        let must_validate = self.handshakes.running() >= UNVALIDATED_HANDSHAKES || connections.is_full();
        if must_validate && !incoming.remote_address_validated() && incoming.may_retry() {
            // It can only fail for clients that were validated already.
            let _ = incoming.retry();
            return;
        }
        // The client sends its first packet again.
        let Some(handshake) = self.handshakes.begin(incoming.remote_address().ip()) else {
            return incoming.ignore();
        };
        let responder = self.responder.for_client(incoming.remote_address().ip());
        let (idle_timeout, stop) = (self.limits.idle_timeout, stop.clone());
        connections.add(incoming.remote_address().ip(), |last_response| {
            QuicConnection { responder, idle_timeout, last_response, stop }.serve(incoming, handshake)
        });
    }
}

/// The settings of QUIC.
fn server_config(tls: &Arc<rustls::ServerConfig>, limits: TcpLimits) -> io::Result<ServerConfig> {
    let crypto = QuicServerConfig::try_from(Arc::clone(tls)).map_err(io::Error::other)?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config
        .max_incoming(MAX_HANDSHAKES)
        .incoming_buffer_size(INCOMING_BUFFER)
        .incoming_buffer_size_total(INCOMING_BUFFER * MAX_HANDSHAKES as u64)
        .transport_config(Arc::new(transport_config(limits)));
    Ok(config)
}

/// The limits of one connection.
fn transport_config(limits: TcpLimits) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(MAX_STREAMS.into())
        // A client that opens one breaks a rule (RFC 9250 §4.3.3).
        .max_concurrent_uni_streams(0_u8.into())
        // Two bytes for the length.
        .stream_receive_window((MAX_QUERY as u32 + 2).into())
        .receive_window(CONNECTION_WINDOW.into())
        .send_window(u64::from(CONNECTION_WINDOW))
        .datagram_receive_buffer_size(None)
        // The configuration limits it to 10 minutes, which fits.
        .max_idle_timeout(IdleTimeout::try_from(limits.idle_timeout).ok());
    transport
}
