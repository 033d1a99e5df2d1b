//! Accepts TCP connections for all transports that run over TCP, and bounds them.
//!
//! Errors of `accept` are logged, and accepting goes on after a pause. Most errors go away by
//! themselves: no memory, no file descriptors, a client that has gone.

use std::net::IpAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::connection_budget::ListenerShare;
use super::connections::Connections;
use super::last_response::LastResponse;
use super::stream_connection::FIRST_QUERY;
use crate::log_throttle::LogThrottle;

/// Pause after an error of `accept`.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until `stop`, at most its share at the same time, and gives each to `serve`,
/// with the address of its client, in a task of its own. Then waits until the connections have answered the queries that have arrived.
pub(super) async fn accept<F>(
    listener: TcpListener,
    mut share: ListenerShare,
    stop: CancellationToken,
    serve: impl Fn(TcpStream, IpAddr, LastResponse) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut log = LogThrottle::default();
    let mut connections = Connections::new(share.limit());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    connections.make_room().await;
                    connections.add(client.ip(), |last_response| serve(stream, client.ip(), last_response));
                }
                Err(error) => {
                    if log.is_due() {
                        warn!("{}: cannot accept a connection: {error}", name_of(&listener));
                    }
                    if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) {
                        connections.close_idlest();
                    }
                    tokio::time::sleep(ERROR_PAUSE).await;
                }
            },
            Some(()) = connections.ended() => {}
            () = share.changed() => connections.set_limit(share.limit()).await,
            () = stop.cancelled() => break,
        }
    }
    // Clients that connected before the stop get their responses, too. The kernel hands over a
    // connection when its first query arrives.
    let deadline = Instant::now() + FIRST_QUERY;
    while Instant::now() < deadline {
        let Ok(Ok((stream, client))) = timeout_at(deadline, listener.accept()).await else { break };
        connections.make_room().await;
        connections.add(client.ip(), |last_response| serve(stream, client.ip(), last_response));
    }
    // From now on, new connections go to another listener on the same address, if there is one.
    drop(listener);
    connections.end().await;
}

fn name_of(listener: &TcpListener) -> String {
    listener.local_addr().map_or_else(|_| "TCP".to_owned(), |address| address.to_string())
}
