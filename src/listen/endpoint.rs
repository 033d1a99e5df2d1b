//! One endpoint: an address with its sockets, and the threads and tasks that answer there.
//!
//! [`super::endpoints`] binds a [`BoundEndpoint`], starts it, and ends the running [`Endpoint`].
//! Binding fails if the address is in use, starting fails if a thread cannot be created.

use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::bind::{self, AddressUse, PlainSockets};
use super::connection_budget::ConnectionBudget;
use super::encrypted::{Certificate, EncryptedEndpoint, EncryptedSocket, EncryptedTransport};
use super::stream_responder::StreamResponder;
use super::{tcp, udp};
use crate::abort_on_panic;
use crate::config::Server;
use evenkeel_core::counters::{Counters, Protocol};
use evenkeel_core::respond::{Responder, Transport};
use evenkeel_core::snapshot::CurrentSnapshot;

/// The kind of an endpoint.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum EndpointKind {
    /// UDP and TCP.
    Plain,
    /// TLS, HTTPS or QUIC.
    Encrypted(EncryptedTransport),
}

impl EndpointKind {
    /// Returns true if both use UDP ports, or both use TCP ports.
    pub(super) fn shares_ports_with(&self, other: &Self) -> bool {
        let is_quic = |kind: &Self| matches!(kind, Self::Encrypted(EncryptedTransport::Quic));
        *self == Self::Plain || *other == Self::Plain || is_quic(self) == is_quic(other)
    }
}

impl fmt::Display for EndpointKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("UDP+TCP"),
            Self::Encrypted(encrypted) => encrypted.fmt(f),
        }
    }
}

/// An endpoint that is bound and does not answer yet. Queries wait in its sockets.
#[derive(Debug)]
pub(super) enum BoundEndpoint {
    /// For UDP and TCP.
    Plain(PlainSockets),
    /// For an encrypted transport, with the address as bound.
    Encrypted(EncryptedTransport, EncryptedSocket, SocketAddr),
}

impl BoundEndpoint {
    /// Binds an address.
    ///
    /// # Errors
    /// The system's. This includes `AddrInUse` if a process of the same user has bound the address
    /// with `SO_REUSEPORT`.
    pub(super) fn bind(
        kind: &EndpointKind,
        address: SocketAddr,
        server: &Server,
        address_use: AddressUse,
    ) -> io::Result<Self> {
        match kind {
            EndpointKind::Plain => bind::bind_plain(address, server.workers, address_use).map(Self::Plain),
            EndpointKind::Encrypted(encrypted) => {
                let socket = encrypted.bind(address, address_use)?;
                let address = socket.local_addr()?;
                Ok(Self::Encrypted(encrypted.clone(), socket, address))
            }
        }
    }

    /// The address as bound: if port 0 is configured, with the port that the system chose.
    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Plain(sockets) => sockets.address,
            Self::Encrypted(_, _, address) => *address,
        }
    }

    /// Lets this process bind addresses that overlap, or no longer.
    pub(super) fn set_reuse_port(&self, reuse_port: bool) {
        // The sockets of encrypted transports always let it.
        if let Self::Plain(sockets) = self {
            bind::set_reuse_port(&sockets.udp, reuse_port);
        }
    }

    /// Starts to answer.
    ///
    /// # Errors
    /// The system cannot create a thread, or an encrypted transport has no certificate.
    pub(super) fn start(
        self,
        server: &Server,
        certificate: Option<&Arc<Certificate>>,
        current: &CurrentSnapshot,
        counters: &Counters,
        budget: &ConnectionBudget,
    ) -> io::Result<Endpoint> {
        let current = Arc::clone(current);
        match self {
            Self::Plain(sockets) => Endpoint::start_plain(sockets, server, current, counters, budget),
            Self::Encrypted(transport, socket, address) => {
                let no_certificate = || io::Error::other("no certificate is configured");
                let certificate = certificate.ok_or_else(no_certificate)?;
                let tls = certificate.server_config(transport.protocol_names()).map_err(io::Error::other)?;
                let limits = server.tcp;
                let counters = counters.worker(transport.protocol());
                let responder = StreamResponder::new(counters, transport.message_transport(limits), current);
                let budget = budget.clone();
                let endpoint = EncryptedEndpoint { transport, address, tls, responder, limits, budget };
                Ok(Endpoint::start_encrypted(endpoint, socket))
            }
        }
    }
}

/// The UDP threads of an endpoint. They are told to stop when this is dropped.
#[derive(Debug, Default)]
struct Workers {
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
    /// Weak, because the workers own the sockets. The kernel would give packets to a socket that
    /// outlives its worker, and these packets would be lost.
    sockets: Vec<Weak<UdpSocket>>,
}

impl Workers {
    fn spawn(&mut self, worker: udp::Worker, address: SocketAddr) -> io::Result<()> {
        let thread = thread::Builder::new().name(format!("udp {}", address.port()));
        self.threads.push(thread.spawn(move || abort_on_panic::call(|| worker.run()))?);
        Ok(())
    }

    fn signal_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.signal_stop();
    }
}

/// An endpoint that answers.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// The address as bound: if port 0 is configured, with the port that the system chose.
    pub(super) address: SocketAddr,
    /// None for an encrypted transport.
    workers: Workers,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Endpoint {
    fn start_plain(
        sockets: PlainSockets,
        server: &Server,
        current: CurrentSnapshot,
        counters: &Counters,
        budget: &ConnectionBudget,
    ) -> io::Result<Self> {
        let PlainSockets { address, udp, tcp } = sockets;
        let log = Arc::default();
        let mut workers = Workers::default();
        workers.sockets.extend(udp.iter().map(Arc::downgrade));
        for socket in udp {
            let worker = udp::Worker::new(
                socket,
                address,
                Arc::clone(&current),
                Responder::new(counters.worker(Protocol::Udp)),
                Arc::clone(&workers.stop),
                Arc::clone(&log),
            );
            workers.spawn(worker, address)?;
        }
        let transport = Transport::Tcp(Some(server.tcp.idle_timeout.into()));
        let responder = StreamResponder::new(counters.worker(Protocol::Tcp), transport, current);
        let stop = CancellationToken::new();
        let listener = tokio::net::TcpListener::from_std(tcp)?;
        let share = budget.register(server.tcp.connections);
        let task = tcp::serve(listener, responder, server.tcp.idle_timeout, share, stop.clone());
        Ok(Self { address, workers, stop, task: tokio::spawn(abort_on_panic::task(task)) })
    }

    fn start_encrypted(endpoint: EncryptedEndpoint, socket: EncryptedSocket) -> Self {
        let stop = CancellationToken::new();
        let address = endpoint.address;
        let task = tokio::spawn(abort_on_panic::task(endpoint.serve(socket, stop.clone())));
        Self { address, workers: Workers::default(), stop, task }
    }

    /// Lets this process bind addresses that overlap, or no longer.
    pub(super) fn set_reuse_port(&self, reuse_port: bool) {
        let sockets: Vec<_> = self.workers.sockets.iter().filter_map(Weak::upgrade).collect();
        bind::set_reuse_port(&sockets, reuse_port);
    }

    /// Tells all threads and tasks to stop. Queries that have arrived are still answered.
    pub(super) fn signal_stop(&self) {
        self.workers.signal_stop();
        self.stop.cancel();
    }

    /// Stops, and waits until all threads and tasks have ended.
    pub(super) async fn end(mut self) {
        self.signal_stop();
        // A panic of the task has ended the process.
        let _ = self.task.await;
        let threads = std::mem::take(&mut self.workers.threads);
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join())));
        let _ = joined.await;
    }
}
