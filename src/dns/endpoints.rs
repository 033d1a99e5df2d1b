//! All addresses that are listened on, and how they change on a reload.
//!
//! A reload binds what is new before anything else changes, so that it can still fail; then the new endpoints begin,
//! and those that are no longer wanted end. Endpoints that stay are not touched.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::encrypted::{self, Certificate, Encrypted, EncryptedSocket};
use super::listener::{self, Bound, Held};
use super::{tcp, udp};
use crate::config::{Listen, Server, overlap};
use crate::diagnostic::Diagnostics;
use crate::serving::Current;
use crate::vital;

/// What makes two endpoints the same across reloads: the transport and the configured address.
type Key = (Option<Encrypted>, SocketAddr);

/// Sockets that are bound but not answered yet.
#[derive(Debug)]
enum Socket {
    Plain(Bound),
    Encrypted(EncryptedSocket, SocketAddr),
}

impl Socket {
    fn address(&self) -> SocketAddr {
        match self {
            Self::Plain(bound) => bound.address,
            Self::Encrypted(_, address) => *address,
        }
    }
}

/// An address that is being answered.
#[derive(Debug)]
struct Endpoint {
    address: SocketAddr,
    /// Tells the UDP workers.
    stop_workers: Arc<AtomicBool>,
    workers: Vec<thread::JoinHandle<()>>,
    /// Tells the task.
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Sockets of a configuration that is about to be used.
#[derive(Debug)]
pub struct Prepared {
    wanted: Vec<Key>,
    new: Vec<(Key, Socket)>,
}

/// All endpoints.
#[derive(Debug, Default)]
pub struct Endpoints {
    running: HashMap<Key, Endpoint>,
    /// Those that a reload has ended, while they still finish what has arrived.
    ending: Vec<(SocketAddr, JoinHandle<()>)>,
    certificate: Option<Arc<Certificate>>,
    /// Of the plain endpoints, as they were begun.
    settings: Option<(usize, crate::config::TcpLimits)>,
}

impl Endpoints {
    /// Binds every address that is not listened on yet.
    ///
    /// # Errors
    /// Names each address that cannot be bound, where it stands in the configuration.
    pub fn prepare(&self, server: &Server) -> Result<Prepared, Diagnostics> {
        let mut prepared = Prepared { wanted: Vec::new(), new: Vec::new() };
        let mut problems = Diagnostics::default();
        let mut add = |transport: Option<Encrypted>, listen: &Listen| {
            let key = (transport, listen.address);
            if !self.running.contains_key(&key) {
                let of_running = self.running.values().map(|endpoint| endpoint.address);
                let of_new = prepared.new.iter().map(|(_, socket)| socket.address());
                let of_ending = self.ending.iter().filter(|(_, end)| !end.is_finished()).map(|(address, _)| *address);
                let overlaps = of_running.chain(of_new).chain(of_ending).any(|bound| overlap(bound, listen.address));
                let held = if overlaps { Held::ByUs } else { Held::ByNobody };
                match bind(&key, server, held) {
                    Ok(socket) => prepared.new.push((key.clone(), socket)),
                    Err(error) => problems.push(listen.problem(describe(&key, &error))),
                }
            }
            prepared.wanted.push(key);
        };
        server.listen.iter().for_each(|listen| add(None, listen));
        if let Some(tls) = &server.tls {
            tls.dot.iter().for_each(|listen| add(Some(Encrypted::Tls), listen));
            tls.doh.iter().for_each(|listen| add(Some(Encrypted::Https(tls.doh_path.clone())), listen));
            tls.doq.iter().for_each(|listen| add(Some(Encrypted::Quic), listen));
        }
        if problems.has_errors() { Err(problems) } else { Ok(prepared) }
    }

    /// Begins the new endpoints and ends those that are not wanted any more.
    pub fn commit(&mut self, prepared: Prepared, server: &Server, current: &Current) {
        if let Some(tls) = &server.tls {
            match &self.certificate {
                Some(certificate) => certificate.replace(Arc::clone(&tls.certified)),
                None => self.certificate = Some(Arc::new(Certificate::new(Arc::clone(&tls.certified)))),
            }
        }
        let settings = (server.workers.get(), server.tcp);
        if self.settings.is_some_and(|running| running != settings) {
            warn!("`workers` and the TCP limits apply to addresses that are bound from now on; restart for the others");
        }
        self.settings = Some(settings);
        self.ending.retain(|(_, end)| !end.is_finished());
        let Prepared { wanted, new } = prepared;
        let unwanted: Vec<Key> = self.running.keys().filter(|key| !wanted.contains(key)).cloned().collect();
        for (key, socket) in new {
            let endpoint = self.begin(&key, socket, server, current);
            self.running.insert(key, endpoint);
        }
        for key in unwanted {
            if let Some(endpoint) = self.running.remove(&key) {
                // It ends beside us: its slowest client must not hold up signals.
                let address = endpoint.address;
                self.ending.push((address, tokio::spawn(endpoint.end())));
            }
        }
    }

    fn begin(&self, key: &Key, socket: Socket, server: &Server, current: &Current) -> Endpoint {
        let stop_workers = Arc::new(AtomicBool::new(false));
        let stop = CancellationToken::new();
        let mut workers = Vec::new();
        let (address, task) = match socket {
            Socket::Plain(Bound { address, udp, tcp }) => {
                for socket in udp {
                    let worker = udp::Worker::new(socket, Arc::clone(current), Arc::clone(&stop_workers));
                    workers.push(spawn_worker(worker, address));
                }
                let (current, limits, stop) = (Arc::clone(current), server.tcp, stop.clone());
                let task = async move {
                    match tokio::net::TcpListener::from_std(tcp) {
                        Ok(listener) => tcp::serve(listener, current, limits, stop).await,
                        Err(error) => warn!("{address}: TCP is not answered: {error}"),
                    }
                };
                (address, tokio::spawn(vital::task(task)))
            }
            Socket::Encrypted(socket, address) => {
                let (Some(transport), Some(certificate)) = (key.0.clone(), self.certificate.clone()) else {
                    unreachable!(
                        "an encrypted socket is bound for a transport of `[server.tls]`, which has a certificate"
                    )
                };
                let serving =
                    encrypted::serve(transport, socket, address, certificate, Arc::clone(current), stop.clone());
                (address, tokio::spawn(serving))
            }
        };
        Endpoint { address, stop_workers, workers, stop, task }
    }

    /// Ends all of them, once what has arrived is answered.
    pub async fn end(&mut self) {
        for endpoint in self.running.values() {
            endpoint.tell();
        }
        let ends: Vec<_> = self.running.drain().map(|(_, endpoint)| tokio::spawn(endpoint.end())).collect();
        for end in self.ending.drain(..).map(|(_, end)| end).chain(ends) {
            // A panic of a task was reported when it happened.
            let _ = end.await;
        }
    }

    /// What is listened on: the transport and the address with the port that the system chose.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        let name = |transport: &Option<Encrypted>| {
            transport.as_ref().map_or_else(|| "UDP+TCP".to_owned(), ToString::to_string)
        };
        let mut addresses: Vec<_> =
            self.running.iter().map(|((transport, _), endpoint)| (name(transport), endpoint.address)).collect();
        addresses.sort_by(|a, b| (a.0 != "UDP+TCP", a).cmp(&(b.0 != "UDP+TCP", b)));
        addresses
    }
}

impl Endpoint {
    fn tell(&self) {
        self.stop_workers.store(true, Ordering::Relaxed);
        self.stop.cancel();
    }

    async fn end(self) {
        self.tell();
        // A panic in the task was reported when it happened; a worker's has ended the process.
        let _ = self.task.await;
        let joined =
            tokio::task::spawn_blocking(move || self.workers.into_iter().for_each(|worker| drop(worker.join())));
        let _ = joined.await;
    }
}

fn bind(key: &Key, server: &Server, held: Held) -> io::Result<Socket> {
    let (transport, address) = key;
    match transport {
        None => listener::bind(*address, server.workers, held).map(Socket::Plain),
        Some(transport) => {
            let socket = encrypted::bind(transport, *address, held)?;
            let address = socket.local_addr()?;
            Ok(Socket::Encrypted(socket, address))
        }
    }
}

fn describe((transport, address): &Key, error: &io::Error) -> String {
    let what = transport.as_ref().map_or_else(|| "UDP and TCP".to_owned(), ToString::to_string);
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("{address} is in use by another process ({what})"),
        io::ErrorKind::PermissionDenied => {
            format!("{address} may not be bound by this user ({what})")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{} is no address of this machine", address.ip())
        }
        _ => format!("{address} cannot be bound ({what}): {error}"),
    }
}

fn spawn_worker(worker: udp::Worker, address: SocketAddr) -> thread::JoinHandle<()> {
    let name = format!("udp {}", address.port());
    thread::Builder::new()
        .name(name)
        .spawn(move || vital::call(|| worker.run()))
        .expect("the system has room for a thread for each worker")
}
