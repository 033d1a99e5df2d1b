//! One address that is listened on: its socket, the threads and tasks that answer there, and their end.

use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::bind::{self, Bound, Held};
use super::encrypted::{self, Certificate, Encrypted, EncryptedSocket};
use super::shared_responder::SharedResponder;
use super::{tcp, udp};
use crate::abort_on_panic;
use crate::config::Server;
use evenkeel_core::counters::{Counters, Protocol};
use evenkeel_core::respond::Responder;
use evenkeel_core::snapshot::CurrentSnapshot;

/// What is spoken at an address.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Transport {
    /// UDP and TCP.
    Plain,
    /// One of the encrypted ones.
    Encrypted(Encrypted),
}

impl Transport {
    /// Whether both need the same port of TCP, or of UDP.
    pub(super) fn shares_ports_with(&self, other: &Self) -> bool {
        let is_quic = |transport: &Self| matches!(transport, Self::Encrypted(Encrypted::Quic));
        *self == Self::Plain || *other == Self::Plain || is_quic(self) == is_quic(other)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("UDP+TCP"),
            Self::Encrypted(encrypted) => encrypted.fmt(f),
        }
    }
}

/// A socket that is bound but not answered yet.
#[derive(Debug)]
pub(super) enum Socket {
    /// For UDP and TCP.
    Plain(Bound),
    /// For an encrypted transport.
    Encrypted(Encrypted, EncryptedSocket, SocketAddr),
}

impl Socket {
    pub(super) fn bind(transport: &Transport, address: SocketAddr, server: &Server, held: Held) -> io::Result<Self> {
        match transport {
            Transport::Plain => bind::bind(address, server.workers, held).map(Self::Plain),
            Transport::Encrypted(encrypted) => {
                let socket = encrypted::bind(encrypted, address, held)?;
                let address = socket.local_addr()?;
                Ok(Self::Encrypted(encrypted.clone(), socket, address))
            }
        }
    }

    /// The address, with the port that the system chose.
    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Plain(bound) => bound.address,
            Self::Encrypted(.., address) => *address,
        }
    }

    /// Lets addresses that overlap be bound, or no more.
    pub(super) fn share(&self, shares: bool) {
        if let Self::Plain(bound) = self {
            bind::share(&bound.udp, shares);
        }
    }

    /// Begins to answer.
    ///
    /// # Errors
    /// The system has no room for the threads.
    pub(super) fn begin(
        self,
        server: &Server,
        certificate: Option<&Arc<Certificate>>,
        current: &CurrentSnapshot,
        counters: &Counters,
    ) -> io::Result<Endpoint> {
        let (address, stop) = (self.address(), CancellationToken::new());
        let current = Arc::clone(current);
        let mut workers = Workers::default();
        let task = match self {
            Self::Plain(Bound { udp, tcp, .. }) => {
                let log = Arc::default();
                workers.sockets = udp.iter().map(Arc::downgrade).collect();
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
                let responder = SharedResponder::new(counters.worker(Protocol::Tcp));
                let (limits, stop) = (server.tcp, stop.clone());
                let task = async move {
                    match tokio::net::TcpListener::from_std(tcp) {
                        Ok(listener) => tcp::serve(listener, current, responder, limits, stop).await,
                        Err(error) => warn!("{address}: TCP is not answered: {error}"),
                    }
                };
                tokio::spawn(abort_on_panic::task(task))
            }
            Self::Encrypted(encrypted, socket, address) => {
                let no_certificate = || io::Error::other("no certificate is configured");
                let certificate = Arc::clone(certificate.ok_or_else(no_certificate)?);
                let responder = SharedResponder::new(counters.worker(encrypted.protocol()));
                tokio::spawn(encrypted::serve(
                    encrypted,
                    socket,
                    address,
                    certificate,
                    current,
                    responder,
                    stop.clone(),
                ))
            }
        };
        Ok(Endpoint { address, workers, stop, task })
    }
}

/// The UDP threads of an address; they are told to stop when this is dropped.
#[derive(Debug, Default)]
struct Workers {
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
    /// Theirs alone: a socket that nobody reads any more would swallow what another one could answer.
    sockets: Vec<Weak<UdpSocket>>,
}

impl Workers {
    fn spawn(&mut self, worker: udp::Worker, address: SocketAddr) -> io::Result<()> {
        let thread = thread::Builder::new().name(format!("udp {}", address.port()));
        self.threads.push(thread.spawn(move || abort_on_panic::call(|| worker.run()))?);
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// An address that is being answered.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// With the port that the system chose.
    pub(super) address: SocketAddr,
    workers: Workers,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Endpoint {
    /// Lets addresses that overlap be bound, or no more.
    pub(super) fn share(&self, shares: bool) {
        let sockets: Vec<_> = self.workers.sockets.iter().filter_map(Weak::upgrade).collect();
        bind::share(&sockets, shares);
    }

    /// Tells everybody there to stop; what has arrived is still answered.
    pub(super) fn tell(&self) {
        self.workers.stop.store(true, Ordering::Relaxed);
        self.stop.cancel();
    }

    /// Waits until all of them have stopped.
    pub(super) async fn end(mut self) {
        self.tell();
        // A panic in an encrypted transport was reported when it happened; any other has ended the process.
        let _ = self.task.await;
        let threads = std::mem::take(&mut self.workers.threads);
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join())));
        let _ = joined.await;
    }
}
