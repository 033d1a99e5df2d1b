//! TLS over TCP: handshakes, and the listener of DNS over TLS (RFC 7858).

use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::limits::HANDSHAKE;
use crate::config::TcpLimits;
use crate::listen::accept::accept;
use crate::listen::connection_budget::ListenerShare;
use crate::listen::stream_connection::{Connection, FIRST_QUERY};
use crate::listen::stream_responder::StreamResponder;

/// Accepts and answers until `stop`. Then answers the queries that have arrived, and returns.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    responder: StreamResponder,
    limits: TcpLimits,
    share: ListenerShare,
    stop: CancellationToken,
) {
    accept(listener, share, stop.clone(), |stream, client, last_response| {
        let (tls, responder, stop) = (Arc::clone(&tls), responder.for_client(client), stop.clone());
        async move {
            // The option saves a delay; a socket without it works, too.
            let _ = stream.set_nodelay(true);
            if let Some(stream) = handshake(tls, stream, limits, &stop).await {
                Connection::new(stream, responder, limits.idle_timeout, last_response).run(stop).await;
            }
        }
    })
    .await;
}

/// Shakes hands with a client. Returns `None` if this fails or takes too long, which the client
/// sees. Once the listener stops, little time is left.
pub(super) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    tls: Arc<ServerConfig>,
    stream: S,
    limits: TcpLimits,
    stop: &CancellationToken,
) -> Option<TlsStream<S>> {
    let mut accept = TlsAcceptor::from(tls).accept(stream);
    let accepted = tokio::select! {
        accepted = timeout(HANDSHAKE.min(limits.idle_timeout), &mut accept) => accepted,
        () = stop.cancelled() => timeout(FIRST_QUERY, accept).await,
    };
    accepted.ok()?.inspect_err(|error| debug!("a TLS handshake has failed: {error}")).ok()
}
