//! DNS over TLS, HTTPS and QUIC, on hickory-server's listeners.
//!
//! Each address has a server of its own, so that a listener that dies is known by name; it is bound and registered
//! again until it is told to stop.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hickory_server::Server;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::bind::{Held, bind_quic, bind_tcp};
use super::hickory::Handler;
use super::shared_responder::SharedResponder;
use evenkeel_core::counters::Protocol;
use evenkeel_core::snapshot::CurrentSnapshot;

/// For handshakes, and for the wait for a request on an open connection.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Wait before a dead listener is registered again.
const RETRY: Duration = Duration::from_secs(1);

/// How long connections may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// An encrypted transport.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Encrypted {
    /// DNS over TLS (RFC 7858).
    Tls,
    /// DNS over HTTPS (RFC 8484), at this path.
    Https(String),
    /// DNS over QUIC (RFC 9250).
    Quic,
}

impl Encrypted {
    /// What its answers are counted under.
    pub(super) fn protocol(&self) -> Protocol {
        match self {
            Self::Tls => Protocol::Tls,
            Self::Https(_) => Protocol::Https,
            Self::Quic => Protocol::Quic,
        }
    }
}

impl fmt::Display for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.protocol().fmt(f)
    }
}

/// The certificate that all encrypted transports present; a reload replaces it.
#[derive(Debug)]
pub(super) struct Certificate(ArcSwap<CertifiedKey>);

impl Certificate {
    /// Presents a certificate.
    pub(super) fn new(certified: Arc<CertifiedKey>) -> Self {
        Self(ArcSwap::new(certified))
    }

    /// Presents another one from now on.
    pub(super) fn replace(&self, certified: Arc<CertifiedKey>) {
        self.0.store(certified);
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// A bound socket of an encrypted transport.
#[derive(Debug)]
pub(super) enum EncryptedSocket {
    /// For TLS and HTTPS.
    Tcp(tokio::net::TcpListener),
    /// For QUIC.
    Udp(tokio::net::UdpSocket),
}

impl EncryptedSocket {
    /// The address, with the port that the system chose.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr(),
            Self::Udp(socket) => socket.local_addr(),
        }
    }
}

/// Binds an address for a transport.
///
/// # Errors
/// The system's; `AddrInUse` also when a process of the same user shares the port.
pub(super) fn bind(transport: &Encrypted, address: SocketAddr, held: Held) -> io::Result<EncryptedSocket> {
    match transport {
        Encrypted::Tls | Encrypted::Https(_) => {
            tokio::net::TcpListener::from_std(bind_tcp(address, held)?).map(EncryptedSocket::Tcp)
        }
        Encrypted::Quic => tokio::net::UdpSocket::from_std(bind_quic(address, held)?).map(EncryptedSocket::Udp),
    }
}

/// Serves one address until `stop`.
pub(super) async fn serve(
    transport: Encrypted,
    socket: EncryptedSocket,
    address: SocketAddr,
    certificate: Arc<Certificate>,
    current: CurrentSnapshot,
    responder: SharedResponder,
    stop: CancellationToken,
) {
    let mut socket = Some(socket);
    loop {
        let bound = match socket.take() {
            Some(socket) => Ok(socket),
            // It was ours, and others of ours may overlap it.
            None => bind(&transport, address, Held::ByUs),
        };
        let registered = bound.and_then(|socket| register(&transport, socket, &certificate, &current, &responder));
        match registered {
            Ok(mut server) => tokio::select! {
                outcome = server.block_until_done() => {
                    let why = outcome.map_or_else(|error| error.to_string(), |()| "it has ended".to_owned());
                    error!("the {transport} listener on {address} died and is started again: {why}");
                }
                () = stop.cancelled() => {
                    // Connections that do not end in time are cut.
                    let _ = tokio::time::timeout(GRACE, server.shutdown_gracefully()).await;
                    return;
                }
            },
            Err(error) => warn!("the {transport} listener on {address} cannot be started, trying again: {error}"),
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            () = stop.cancelled() => return,
        }
    }
}

fn register(
    transport: &Encrypted,
    socket: EncryptedSocket,
    certificate: &Arc<Certificate>,
    current: &CurrentSnapshot,
    responder: &SharedResponder,
) -> io::Result<Server<Handler>> {
    let mut server = Server::new(Handler { current: Arc::clone(current), responder: responder.clone() });
    let certificate: Arc<dyn ResolvesServerCert> = Arc::<Certificate>::clone(certificate);
    match (transport, socket) {
        (Encrypted::Tls, EncryptedSocket::Tcp(listener)) => {
            server.register_tls_listener(listener, TIMEOUT, certificate)?
        }
        (Encrypted::Https(path), EncryptedSocket::Tcp(listener)) => {
            server.register_https_listener(listener, TIMEOUT, certificate, None, path.clone())?;
        }
        (Encrypted::Quic, EncryptedSocket::Udp(socket)) => {
            server.register_quic_listener(socket, TIMEOUT, certificate)?
        }
        _ => return Err(io::Error::other("the socket is of another transport")),
    }
    Ok(server)
}
