//! Outages: how `control` requests one from `server`, and how a listener becomes unreachable.

use std::net::SocketAddr;
use std::time::Duration;

use nix::sys::socket::{Backlog, listen};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::connection::ConnectionHandle;
use crate::faults::{Outage, OutageKind};

/// Longest wait for a connection of our own. Loopback completes one at once, unless the kernel
/// drops its packets.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(50);

/// An outage that a `PUT /_fake` requests.
#[derive(Debug)]
pub(crate) struct OutageRequest {
    /// Its kind and duration.
    pub(crate) outage: Outage,
    /// The connection of the request. It stays open until the response is sent.
    pub(crate) requested_on: ConnectionHandle,
    /// Signalled once the node is unreachable. Dropped if the outage does not start.
    pub(crate) started: oneshot::Sender<()>,
}

/// Makes the kernel drop new connections to an address until this is dropped.
pub(crate) struct Blackhole {
    _listener: TcpListener,
    /// Connections that fill the accept queue.
    _queued: Vec<TcpStream>,
}

/// Makes a listener unreachable. [`OutageKind::Refuse`] closes it and returns `None`.
///
/// For a black hole, the accept queue of the listener is filled and never emptied. The kernel then
/// drops the packets of new connections. If the kernel rejects the short queue, the listener is
/// closed instead.
pub(crate) async fn make_unreachable(
    listener: TcpListener,
    address: SocketAddr,
    kind: OutageKind,
) -> Option<Blackhole> {
    if kind != OutageKind::Blackhole || Backlog::new(0).and_then(|backlog| listen(&listener, backlog)).is_err() {
        return None;
    }
    let mut queued = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
        queued.push(stream);
    }
    Some(Blackhole { _listener: listener, _queued: queued })
}
