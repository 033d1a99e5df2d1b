//! The TCP listener (RFC 7766).
//!
//! [`super::endpoint`] runs [`serve`] as a task. A connection may be silent, or take time over one
//! message or one response, for at most the idle timeout.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::accept::accept;
use super::connection_budget::ListenerShare;
use super::stream_connection::Connection;
use super::stream_responder::StreamResponder;

/// Accepts and answers until `stop`. Then answers the queries that have arrived, and returns.
pub(super) async fn serve(
    listener: TcpListener,
    responder: StreamResponder,
    idle_timeout: Duration,
    share: ListenerShare,
    stop: CancellationToken,
) {
    accept(listener, share, stop.clone(), |stream, client, last_response| {
        let (responder, stop) = (responder.for_client(client), stop.clone());
        async move {
            // The option saves a delay; a socket without it works, too.
            let _ = stream.set_nodelay(true);
            Connection::new(stream, responder, idle_timeout, last_response).run(stop).await;
        }
    })
    .await;
}
