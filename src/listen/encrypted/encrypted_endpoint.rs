//! One address with an encrypted transport.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::https::HttpsListener;
use super::quic::QuicListener;
use super::tls;
use super::transport::{EncryptedSocket, EncryptedTransport};
use crate::config::TcpLimits;
use crate::listen::bind::{AddressUse, bind_quic};
use crate::listen::connection_budget::ConnectionBudget;
use crate::listen::stream_responder::StreamResponder;

/// Wait before a dead listener is started again.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// An address with an encrypted transport.
pub(crate) struct EncryptedEndpoint {
    pub(crate) transport: EncryptedTransport,
    /// The address as bound: if port 0 is configured, with the port that the system chose.
    pub(crate) address: SocketAddr,
    pub(crate) tls: Arc<ServerConfig>,
    pub(crate) responder: StreamResponder,
    pub(crate) limits: TcpLimits,
    /// The descriptors for connections. Those over QUIC take none.
    pub(crate) budget: ConnectionBudget,
}

impl EncryptedEndpoint {
    /// Serves until `stop`. Then answers the queries that have arrived, and returns.
    pub(crate) async fn serve(self, socket: EncryptedSocket, stop: CancellationToken) {
        let Self { transport, tls: settings, responder, limits, .. } = &self;
        match (socket, transport) {
            (EncryptedSocket::Tcp(listener), EncryptedTransport::Https(path)) => {
                let (tls, responder) = (Arc::clone(settings), responder.clone());
                HttpsListener { tls, path: path.as_str().into(), responder, limits: *limits }
                    .serve(listener, self.budget.register(limits.connections), stop)
                    .await;
            }
            (EncryptedSocket::Tcp(listener), _) => {
                let share = self.budget.register(limits.connections);
                tls::serve(listener, Arc::clone(settings), responder.clone(), *limits, share, stop).await;
            }
            (EncryptedSocket::Udp(socket), _) => self.serve_quic(socket, stop).await,
        }
    }

    /// Serves QUIC until `stop`. A listener whose socket fails is bound and started again.
    async fn serve_quic(&self, socket: std::net::UdpSocket, stop: CancellationToken) {
        let address = self.address;
        let mut first_socket = Some(socket);
        loop {
            let bound = match first_socket.take() {
                Some(socket) => Ok(socket),
                // This process had bound the address before, and may have bound others that
                // overlap it.
                None => bind_quic(address, AddressUse::OverlapsOurs),
            };
            match bound.and_then(|socket| self.quic_listener(socket)) {
                Ok(listener) => {
                    listener.serve(&stop).await;
                    if stop.is_cancelled() {
                        return;
                    }
                    error!("the QUIC listener on {address} died and is started again: its socket has failed");
                }
                Err(error) => warn!("the QUIC listener on {address} cannot be started, trying again: {error}"),
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY_DELAY) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    fn quic_listener(&self, socket: std::net::UdpSocket) -> io::Result<QuicListener> {
        QuicListener::new(socket, &self.tls, self.responder.clone(), self.limits)
    }
}
