//! The node's end of its connections.

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

use crate::api::app;
use crate::connection::{Connection, Resettable};
use crate::node::{Certificates, FakeCore, mark_of};
use crate::outage::{OutageRequest, stop_accepting};
use crate::store::Store;

/// How long the answer to a request for an outage may take to leave.
const LEAVING: Duration = Duration::from_secs(1);

/// How often it is tried to listen again after an outage.
const RETRY: Duration = Duration::from_millis(10);

impl FakeCore {
    /// Answers on an address from now on, in a task of its own; gives the address.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn listen(mut self, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        self.mark = mark_of(self.id.to_str().unwrap_or_default(), Some(address));
        let (sender, outages) = mpsc::channel(1);
        self.now().outages = Some(sender);
        let (core, certificates) = (self.clone(), self.certificates.clone());
        tokio::spawn(serve(core, listener, certificates, app(self), outages));
        Ok(address)
    }
}

/// Serves connections from a listener for as long as it runs; during outages it is away.
async fn serve(
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
            core.now().store = Store::default();
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
