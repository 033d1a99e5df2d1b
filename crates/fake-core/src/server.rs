//! The listening side of a node: accepts connections, serves HTTP on them, and makes the node
//! unreachable during outages.
//!
//! [`FakeCore::listen`] starts it in a task of its own, which ends with the runtime. A failed
//! `accept` is retried; a failed connection ends alone.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::{Extension, Router};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::JoinMap;

use crate::api::router;
use crate::connection::{ConnectionHandle, ResettableStream};
use crate::node::{FakeCore, id_prefix};
use crate::outage::{OutageRequest, make_unreachable};
use crate::store::SessionStore;

/// Longest wait until the response to the request for an outage is sent.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Delay before the next attempt to accept or to listen.
const RETRY_DELAY: Duration = Duration::from_millis(10);

/// One task per open connection.
type Connections = JoinMap<ConnectionHandle, ()>;

impl FakeCore {
    /// Listens on an address and serves requests from then on, in a task of its own. Returns the
    /// address, with the port that the system chose if it was 0.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn listen(mut self, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        self.id_prefix = id_prefix(self.name.to_str().unwrap_or_default(), Some(address));
        let (sender, outages) = mpsc::channel(1);
        self.state().outages = Some(sender);
        let server = Server { address, router: router(self.clone()), core: self };
        tokio::spawn(server.run(listener, outages));
        Ok(address)
    }
}

/// What the accept loop and its connections need.
struct Server {
    address: SocketAddr,
    core: FakeCore,
    router: Router,
}

impl Server {
    /// Serves connections, interrupted by outages.
    async fn run(self, mut listener: TcpListener, mut outages: mpsc::Receiver<OutageRequest>) {
        let mut connections = Connections::new();
        while let Some(request) = self.serve_until_outage(&listener, &mut connections, &mut outages).await {
            let end = Instant::now() + Duration::from_millis(request.outage.ms);
            connections.abort_matching(|handle| *handle != request.requested_on);
            let blackhole = make_unreachable(listener, self.address, request.outage.kind).await;
            self.begin_outage(&mut connections, request).await;
            // A request that arrived at the same time is refused: an outage has started.
            while outages.try_recv().is_ok() {}
            tokio::time::sleep_until(end).await;
            drop(blackhole);
            listener = self.listen_again().await;
        }
    }

    /// Accepts connections until an outage is requested.
    async fn serve_until_outage(
        &self,
        listener: &TcpListener,
        connections: &mut Connections,
        outages: &mut mpsc::Receiver<OutageRequest>,
    ) -> Option<OutageRequest> {
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let handle = ConnectionHandle::default();
                        let task = serve_connection(self.core.clone(), stream, handle.clone(), self.router.clone());
                        connections.spawn(handle, task);
                    }
                    // The process has no file descriptor left, or the client is gone already.
                    Err(_) => tokio::time::sleep(RETRY_DELAY).await,
                },
                // Removes the task of a closed connection from the map.
                Some(_) = connections.join_next() => {}
                request = outages.recv() => return request,
            }
        }
    }

    /// Waits until the aborted connections are closed, and forgets the sessions if requested. The
    /// connection that requested the outage gets its response before it is closed.
    async fn begin_outage(&self, connections: &mut Connections, request: OutageRequest) {
        let OutageRequest { outage, requested_on, started } = request;
        while connections.keys().any(|handle| *handle != requested_on) {
            connections.join_next().await;
        }
        if !outage.keeps_sessions {
            self.core.state().sessions = SessionStore::default();
            self.core.scans_changed.notify_waiters();
        }
        // If the receiver is gone, the client has closed its connection before the response.
        let _ = started.send(());
        let _ = tokio::time::timeout(RESPONSE_TIMEOUT, connections.join_next()).await;
        connections.shutdown().await;
    }

    /// Binds the address again; another process may hold it for a moment.
    async fn listen_again(&self) -> TcpListener {
        loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => return listener,
                Err(_) => tokio::time::sleep(RETRY_DELAY).await,
            }
        }
    }
}

/// Serves the requests of one connection until it closes. Errors are visible to the client alone.
async fn serve_connection(core: FakeCore, stream: TcpStream, handle: ConnectionHandle, router: Router) {
    let stream = ResettableStream::new(stream, handle.clone());
    let service = TowerToHyperService::new(router.layer(Extension(handle)));
    let http = hyper::server::conn::http1::Builder::new();
    match &core.certificates {
        None => drop(http.serve_connection(TokioIo::new(stream), service).await),
        Some(certificates) => {
            let is_wrong = core.state().faults.wrong_certificate;
            let config = if is_wrong { &certificates.wrong } else { &certificates.correct };
            if let Ok(stream) = TlsAcceptor::from(config.clone()).accept(stream).await {
                drop(http.serve_connection(TokioIo::new(stream), service).await);
            }
        }
    }
}
