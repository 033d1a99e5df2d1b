//! The node's end of its connections: where they are refused, met with silence, reset, or shown the wrong certificate.

use std::hash::{Hash, Hasher};
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
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::JoinMap;

use super::FakeCore;
use super::faults::{Outage, OutageKind};

/// How long a connection may take to be made: on loopback it is accepted at once or never.
const SILENCE: Duration = Duration::from_millis(50);

/// How long the answer to a request for an outage may take to leave.
const LEAVING: Duration = Duration::from_secs(1);

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

/// An outage that somebody asks for.
#[derive(Debug)]
pub(super) struct OutageRequest {
    pub(super) outage: Outage,
    /// What it is asked for on: answered before it ends.
    pub(super) connection: Connection,
    /// Hears when the node is away.
    pub(super) has_begun: oneshot::Sender<()>,
}

/// Serves connections from a listener for as long as it runs; during outages it is away.
pub(super) async fn serve(
    core: FakeCore,
    mut listener: TcpListener,
    certificates: Option<Certificates>,
    app: Router,
    mut outages: mpsc::Receiver<OutageRequest>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    loop {
        let mut connections = JoinMap::new();
        let OutageRequest { outage, connection: asking, has_begun } = loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let connection = Connection::default();
                        let (core, certificates, app) = (core.clone(), certificates.clone(), app.clone());
                        connections.spawn(connection.clone(), serve_one(core, stream, certificates, app, connection));
                    }
                    // No descriptor is left, or whoever came has gone: go on in a moment.
                    Err(_) => tokio::time::sleep(RETRY).await,
                },
                Some(_) = connections.join_next() => {}
                request = outages.recv() => match request {
                    Some(request) => break request,
                    None => return Ok(()),
                },
            }
        };
        let until = Instant::now() + Duration::from_millis(outage.ms);
        // In the midst of what they do.
        connections.abort_matching(|connection| *connection != asking);
        let silent = stop_accepting(listener, address, outage.kind).await;
        while connections.keys().any(|connection| *connection != asking) {
            connections.join_next().await;
        }
        if !outage.keeps_sessions {
            core.now().store = super::store::Store::default();
        }
        let _ = has_begun.send(());
        let _ = tokio::time::timeout(LEAVING, connections.join_next()).await;
        drop(connections);
        // Nobody is away twice at once.
        while outages.try_recv().is_ok() {}
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

/// Refuses connections from now on; or meets them with silence, for as long as what is given is kept: a queue that is full,
/// since nobody accepts from it, so that the system drops whoever comes.
async fn stop_accepting(
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

async fn serve_one(
    core: FakeCore,
    stream: TcpStream,
    certificates: Option<Certificates>,
    app: Router,
    connection: Connection,
) {
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

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Connection {}

impl Hash for Connection {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
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
