//! The node's end of its connections: where they are refused, met with silence, reset, or shown the wrong certificate.

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
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::FakeCore;
use super::faults::{Outage, OutageKind};

/// How long a connection may take to be made: on loopback it is accepted at once or never.
const SILENCE: Duration = Duration::from_millis(50);

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

/// Serves connections from a listener for as long as it runs; during outages it is away.
pub(super) async fn serve(
    core: FakeCore,
    mut listener: TcpListener,
    certificates: Option<Certificates>,
    app: Router,
    mut outages: mpsc::Receiver<Outage>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    loop {
        let mut connections = JoinSet::new();
        let outage = loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let (core, certificates, app) = (core.clone(), certificates.clone(), app.clone());
                        connections.spawn(serve_one(core, stream, certificates, app));
                    }
                    // No descriptor is left, or whoever came has gone: go on in a moment.
                    Err(_) => tokio::time::sleep(RETRY).await,
                },
                Some(_) = connections.join_next() => {}
                outage = outages.recv() => match outage {
                    Some(outage) => break outage,
                    None => return Ok(()),
                },
            }
        };
        // Ends all of them in the midst of what they do.
        drop(connections);
        if !outage.keeps_sessions {
            core.now().store = super::store::Store::default();
        }
        stay_away(listener, address, outage).await;
        listener = loop {
            match TcpListener::bind(address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        };
    }
}

async fn stay_away(listener: TcpListener, address: SocketAddr, outage: Outage) {
    let until = tokio::time::Instant::now() + Duration::from_millis(outage.ms);
    // What fills the queue of a listener that nobody listens to: the system drops what does not fit.
    let mut held = Vec::new();
    if outage.kind == OutageKind::Blackhole && Backlog::new(0).is_ok_and(|backlog| listen(&listener, backlog).is_ok()) {
        while let Ok(Ok(stream)) = tokio::time::timeout(SILENCE, TcpStream::connect(address)).await {
            held.push(stream);
        }
    } else {
        drop(listener);
        return tokio::time::sleep_until(until).await;
    }
    tokio::time::sleep_until(until).await;
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
