//! Outages: how they are asked for, and what connections meet meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use nix::sys::socket::{Backlog, listen};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::connection::Connection;
use crate::faults::{Outage, OutageKind};

/// How long a connection may take to be made: on loopback it is accepted at once or never.
const SILENCE: Duration = Duration::from_millis(50);

/// An outage that somebody asks for.
#[derive(Debug)]
pub(crate) struct OutageRequest {
    pub(crate) outage: Outage,
    /// What it is asked for on: answered before it ends.
    pub(crate) connection: Connection,
    /// Hears when the node is away.
    pub(crate) has_begun: oneshot::Sender<()>,
}

/// Refuses connections from now on; or meets them with silence, for as long as what is given is kept: a queue that is full,
/// since nobody accepts from it, so that the system drops whoever comes.
pub(crate) async fn stop_accepting(
    listener: TcpListener,
    address: SocketAddr,
    kind: OutageKind,
) -> Option<(TcpListener, Vec<TcpStream>)> {
    if kind != OutageKind::Blackhole || Backlog::new(0).and_then(|backlog| listen(&listener, backlog)).is_err() {
        return None;
    }
    let mut queue = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(SILENCE, TcpStream::connect(address)).await {
        queue.push(stream);
    }
    Some((listener, queue))
}
