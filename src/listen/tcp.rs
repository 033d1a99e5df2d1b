//! The TCP listener (RFC 7766).
//!
//! [`super::endpoint`] runs [`serve`] as a task. A connection may be silent, or take time over one
//! message or one response, for at most the idle timeout.

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::accept::accept;
use super::stream_connection::Connection;
use super::stream_responder::StreamResponder;
use crate::config::TcpLimits;

/// Accepts and answers until `stop`. Then answers the queries that have arrived, and returns.
pub(super) async fn serve(
    listener: TcpListener,
    responder: StreamResponder,
    limits: TcpLimits,
    stop: CancellationToken,
) {
    accept(listener, limits.connections, stop.clone(), |stream, last_response| {
        let (responder, stop) = (responder.clone(), stop.clone());
        async move {
            // The option saves a delay; a socket without it works, too.
            let _ = stream.set_nodelay(true);
            Connection::new(stream, responder, limits.idle_timeout, last_response).run(stop).await;
        }
    })
    .await;
}
