//! DNS over TLS, HTTPS and QUIC, on the listeners of hickory-server.
//!
//! [`super::endpoint`] spawns [`EncryptedEndpoint::serve`] per address. Each address has a hickory
//! server of its own, so that the log can name a listener that dies. A dead listener is bound and
//! registered again until the endpoint stops.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hickory_server::Server;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::bind::{AddressUse, bind_quic, bind_tcp};
use super::hickory::Handler;
use super::stream_responder::StreamResponder;
use evenkeel_core::counters::Protocol;
use evenkeel_core::snapshot::CurrentSnapshot;

/// Longest handshake, and longest wait for a request on an open connection.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Wait before a dead listener is registered again.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// How long connections may take to end once the endpoint stops.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// An encrypted transport.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum EncryptedTransport {
    /// DNS over TLS (RFC 7858).
    Tls,
    /// DNS over HTTPS (RFC 8484), at this path.
    Https(String),
    /// DNS over QUIC (RFC 9250).
    Quic,
}

impl EncryptedTransport {
    /// The protocol under which its responses are counted.
    pub(super) fn protocol(&self) -> Protocol {
        match self {
            Self::Tls => Protocol::Tls,
            Self::Https(_) => Protocol::Https,
            Self::Quic => Protocol::Quic,
        }
    }

    /// Binds an address.
    ///
    /// # Errors
    /// The system's. This includes `AddrInUse` if a process of the same user has bound the address
    /// with `SO_REUSEPORT`.
    pub(super) fn bind(&self, address: SocketAddr, address_use: AddressUse) -> io::Result<EncryptedSocket> {
        Ok(match self {
            Self::Tls => EncryptedSocket::Tls(TcpListener::from_std(bind_tcp(address, address_use)?)?),
            Self::Https(path) => {
                EncryptedSocket::Https(TcpListener::from_std(bind_tcp(address, address_use)?)?, path.clone())
            }
            Self::Quic => EncryptedSocket::Quic(UdpSocket::from_std(bind_quic(address, address_use)?)?),
        })
    }
}

impl fmt::Display for EncryptedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.protocol().fmt(f)
    }
}

/// A bound socket of an encrypted transport.
#[derive(Debug)]
pub(super) enum EncryptedSocket {
    /// For DNS over TLS.
    Tls(TcpListener),
    /// For DNS over HTTPS, at this path.
    Https(TcpListener, String),
    /// For DNS over QUIC.
    Quic(UdpSocket),
}

impl EncryptedSocket {
    /// The address as bound: if port 0 is configured, with the port that the system chose.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tls(listener) | Self::Https(listener, _) => listener.local_addr(),
            Self::Quic(socket) => socket.local_addr(),
        }
    }
}

/// The certificate that all encrypted transports present. A reload replaces it.
#[derive(Debug)]
pub(super) struct Certificate(ArcSwap<CertifiedKey>);

impl Certificate {
    pub(super) fn new(certified: Arc<CertifiedKey>) -> Self {
        Self(ArcSwap::new(certified))
    }

    /// Presents another certificate in all later handshakes.
    pub(super) fn replace(&self, certified: Arc<CertifiedKey>) {
        self.0.store(certified);
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// An address with an encrypted transport.
pub(super) struct EncryptedEndpoint {
    pub(super) transport: EncryptedTransport,
    /// The address as bound: if port 0 is configured, with the port that the system chose.
    pub(super) address: SocketAddr,
    pub(super) certificate: Arc<Certificate>,
    pub(super) current: CurrentSnapshot,
    pub(super) responder: StreamResponder,
}

impl EncryptedEndpoint {
    /// Serves until `stop`.
    pub(super) async fn serve(self, socket: EncryptedSocket, stop: CancellationToken) {
        let mut first_socket = Some(socket);
        loop {
            let bound = match first_socket.take() {
                Some(socket) => Ok(socket),
                // This process had bound the address before, and may have bound others that
                // overlap it.
                None => self.transport.bind(self.address, AddressUse::OverlapsOurs),
            };
            let (transport, address) = (&self.transport, self.address);
            match bound.and_then(|socket| self.register(socket)) {
                Ok(mut server) => tokio::select! {
                    outcome = server.block_until_done() => {
                        let why = outcome.map_or_else(|error| error.to_string(), |()| "it has ended".to_owned());
                        error!("the {transport} listener on {address} died and is started again: {why}");
                    }
                    () = stop.cancelled() => {
                        // Connections that do not end in time are cut.
                        let _ = tokio::time::timeout(STOP_GRACE, server.shutdown_gracefully()).await;
                        return;
                    }
                },
                Err(error) => warn!("the {transport} listener on {address} cannot be started, trying again: {error}"),
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY_DELAY) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Starts a hickory server on a bound socket.
    fn register(&self, socket: EncryptedSocket) -> io::Result<Server<Handler>> {
        let handler = Handler { current: Arc::clone(&self.current), responder: self.responder.clone() };
        let mut server = Server::new(handler);
        let certificate: Arc<dyn ResolvesServerCert> = Arc::<Certificate>::clone(&self.certificate);
        match socket {
            EncryptedSocket::Tls(listener) => server.register_tls_listener(listener, TIMEOUT, certificate)?,
            EncryptedSocket::Https(listener, path) => {
                server.register_https_listener(listener, TIMEOUT, certificate, None, path)?;
            }
            EncryptedSocket::Quic(socket) => server.register_quic_listener(socket, TIMEOUT, certificate)?,
        }
        Ok(server)
    }
}
