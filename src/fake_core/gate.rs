//! The node's end of its connections: where they are refused, met with silence, reset, or shown the wrong certificate.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::{Extension, Router};
use futures_util::task::AtomicWaker;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use nix::sys::socket::{Backlog, listen};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{self, AbortHandle, JoinSet};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::FakeCore;
use super::faults::{Outage, OutageKind};

/// How long a connection may take to be made: on loopback it is accepted at once or never.
const SILENCE: Duration = Duration::from_millis(50);

/// How long the answer to a request for an outage may take to leave.
const LEAVING: Duration = Duration::from_millis(20);

/// How often it is tried to listen again after an outage.
const RETRY: Duration = Duration::from_millis(10);

/// How a node proves who it is.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// What it should present.
    pub right: Arc<rustls::ServerConfig>,
    /// What it presents when it is told to.
    pub wrong: Arc<rustls::ServerConfig>,
}

/// An outage that somebody has asked for.
pub(super) struct Asked {
    outage: Outage,
    /// The connection that it was asked for on, which is answered before it ends.
    by: task::Id,
    has_begun: oneshot::Sender<()>,
}

impl Asked {
    /// For the connection that this runs for; the receiver hears when the node is away.
    pub(super) fn here(outage: Outage) -> (Self, oneshot::Receiver<()>) {
        let (has_begun, begins) = oneshot::channel();
        (Self { outage, by: task::id(), has_begun }, begins)
    }
}

/// Connections, each with a task of its own; dropped, they end in the midst of what they do.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    handles: HashMap<task::Id, AbortHandle>,
}

impl Connections {
    fn begin(&mut self, connection: impl Future<Output = ()> + Send + 'static) {
        let handle = self.tasks.spawn(connection);
        self.handles.insert(handle.id(), handle);
    }

    /// Waits until one of them has ended; for ever when there is none.
    async fn one_ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(ended) => {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                self.handles.remove(&id);
            }
            None => std::future::pending().await,
        }
    }

    /// Ends all but one.
    async fn end_others(&mut self, spared: task::Id) {
        let others = self.handles.iter().filter(|(id, _)| **id != spared);
        others.for_each(|(_, handle)| handle.abort());
        while self.handles.keys().any(|id| *id != spared) {
            self.one_ended().await;
        }
    }
}

/// Serves connections from a listener for as long as it runs; during outages it is away.
pub(super) async fn serve(
    core: FakeCore,
    mut listener: TcpListener,
    certificates: Option<Certificates>,
    app: Router,
    mut outages: mpsc::Receiver<Asked>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    loop {
        let mut connections = Connections::default();
        let Asked { outage, by, has_begun } = loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let (core, certificates, app) = (core.clone(), certificates.clone(), app.clone());
                        connections.begin(serve_one(core, stream, certificates, app));
                    }
                    // No descriptor is left, or whoever came has gone: go on in a moment.
                    Err(_) => tokio::time::sleep(RETRY).await,
                },
                () = connections.one_ended() => {}
                asked = outages.recv() => match asked {
                    Some(asked) => break asked,
                    None => return Ok(()),
                },
            }
        };
        let lasts = Duration::from_millis(outage.ms);
        let until = Instant::now() + lasts;
        let silent = leave(listener, address, outage.kind).await;
        connections.end_others(by).await;
        if !outage.keeps_sessions {
            core.now().store = super::store::Store::default();
        }
        let _ = has_begun.send(());
        tokio::time::sleep(LEAVING.min(lasts)).await;
        drop(connections);
        tokio::time::sleep_until(until).await;
        drop(silent);
        listener = loop {
            match TcpListener::bind(address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        };
    }
}

/// Takes no more connections. What it gives fills the queue of a listener that nobody listens to, for as long as it is kept: the
/// system drops what does not fit.
async fn leave(listener: TcpListener, address: SocketAddr, kind: OutageKind) -> Option<(TcpListener, Vec<TcpStream>)> {
    if kind != OutageKind::Blackhole || Backlog::new(0).and_then(|backlog| listen(&listener, backlog)).is_err() {
        return None;
    }
    let mut queue = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(SILENCE, TcpStream::connect(address)).await {
        queue.push(stream);
    }
    Some((listener, queue))
}

async fn serve_one(core: FakeCore, stream: TcpStream, certificates: Option<Certificates>, app: Router) {
    let connection = Connection::default();
    let stream = Resettable { stream, connection: connection.clone() };
    let service = TowerToHyperService::new(app.layer(Extension(connection)));
    let http = hyper::server::conn::http1::Builder::new();
    // What goes wrong with a connection is for whoever is at its other end.
    match certificates {
        None => drop(http.serve_connection(TokioIo::new(stream), service).await),
        Some(certificates) => {
            let is_wrong = core.now().faults.wrong_certificate;
            let config = if is_wrong { certificates.wrong } else { certificates.right };
            if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                drop(http.serve_connection(TokioIo::new(stream), service).await);
            }
        }
    }
}

/// A connection, for those who answer on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Connection(Arc<Reset>);

#[derive(Debug, Default)]
struct Reset {
    is_wanted: AtomicBool,
    reader: AtomicWaker,
}

impl Connection {
    /// Resets it: whoever is at its other end learns no more.
    pub(super) fn reset(&self) {
        self.0.is_wanted.store(true, Ordering::Release);
        self.0.reader.wake();
    }
}

/// A stream that can be reset by those who answer on it.
struct Resettable {
    stream: TcpStream,
    connection: Connection,
}

impl Resettable {
    /// The end of it, if it is wanted.
    fn end(&self) -> Option<io::Error> {
        self.connection.0.is_wanted.load(Ordering::Acquire).then(|| {
            // An option that cannot be set leaves an orderly end, which is one all the same.
            let _ = self.stream.set_zero_linger();
            io::ErrorKind::ConnectionReset.into()
        })
    }
}

impl AsyncRead for Resettable {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.connection.0.reader.register(cx.waker());
        match self.end() {
            Some(end) => Poll::Ready(Err(end)),
            None => Pin::new(&mut self.stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Resettable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.end() {
            Some(end) => Poll::Ready(Err(end)),
            None => Pin::new(&mut self.stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
