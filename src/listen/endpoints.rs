//! All addresses that are listened on, and how they change on a reload.
//!
//! A reload first binds what is new, then begins to answer there from the old snapshot, so that no address is bound and
//! silent while new nodes are probed. Only when the new snapshot is published do the endpoints end that are no longer
//! wanted; when the reload is given up, the new ones do. Endpoints that stay go on as they are; those that
//! overlap a new one let it be bound.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tracing::warn;

use super::bind::Held;
use super::encrypted::{Certificate, Encrypted};
use super::endpoint::{Endpoint, Socket, Transport};
use crate::config::{Listen, Server, TcpLimits, Tls, overlap};
use evenkeel_core::counters::Counters;
use evenkeel_core::diagnostic::Diagnostics;
use evenkeel_core::snapshot::CurrentSnapshot;

/// What makes two endpoints the same across reloads: the transport and the configured address.
type Key = (Transport, SocketAddr);

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
    /// Those of the configuration that is served.
    wanted: Vec<Key>,
    /// Those that were ended, while they still finish what has arrived.
    ending: Vec<(Key, SocketAddr, JoinHandle<()>)>,
    certificate: Option<Arc<Certificate>>,
    /// What they have answered.
    counters: Arc<Counters>,
    /// Of the plain endpoints, as they were begun.
    settings: Option<(usize, TcpLimits)>,
}

/// Every address of a configuration, with its transport.
fn listens(server: &Server) -> Vec<(Transport, &Listen)> {
    fn of(transport: Encrypted, listens: &[Listen]) -> impl Iterator<Item = (Transport, &Listen)> {
        listens.iter().map(move |listen| (Transport::Encrypted(transport.clone()), listen))
    }
    let mut all: Vec<_> = server.listen.iter().map(|listen| (Transport::Plain, listen)).collect();
    if let Some(Tls { dot, doh, doq, doh_path, .. }) = &server.tls {
        all.extend(
            of(Encrypted::Tls, dot).chain(of(Encrypted::Https(doh_path.clone()), doh)).chain(of(Encrypted::Quic, doq)),
        );
    }
    all
}

impl Endpoints {
    /// None yet; what they will answer is counted there.
    pub fn new(counters: Arc<Counters>) -> Self {
        Self { counters, ..Self::default() }
    }

    /// Binds every address that is not listened on yet.
    ///
    /// # Errors
    /// Names each address that cannot be bound, where it stands in the configuration.
    pub fn prepare(&self, server: &Server) -> Result<Prepared, Diagnostics> {
        let mut prepared = Prepared { wanted: Vec::new(), new: Vec::new() };
        let mut problems = Diagnostics::default();
        for (transport, listen) in listens(server) {
            let key = (transport, listen.address);
            if !self.running.contains_key(&key) {
                let held = self.held(&key, &prepared.new);
                match Socket::bind(&key.0, key.1, server, held) {
                    Ok(socket) => prepared.new.push((key.clone(), socket)),
                    Err(error) => problems.push(listen.problem(describe(&key, &error))),
                }
            }
            prepared.wanted.push(key);
        }
        self.running.values().for_each(|endpoint| endpoint.share(false));
        prepared.new.iter().for_each(|(_, socket)| socket.share(false));
        if problems.has_errors() { Err(problems) } else { Ok(prepared) }
    }

    /// Whether this process holds an address that overlaps; whatever does is shared, for as long as it takes to bind.
    fn held(&self, (transport, address): &Key, new: &[(Key, Socket)]) -> Held {
        let overlaps = |other: &Key, bound| transport.shares_ports_with(&other.0) && overlap(bound, *address);
        let running: Vec<_> = self.running.iter().filter(|(key, endpoint)| overlaps(key, endpoint.address)).collect();
        let new: Vec<_> = new.iter().filter(|(key, socket)| overlaps(key, socket.address())).collect();
        let is_ending = self.ending.iter().any(|(key, address, end)| !end.is_finished() && overlaps(key, *address));
        running.iter().for_each(|(_, endpoint)| endpoint.share(true));
        new.iter().for_each(|(_, socket)| socket.share(true));
        if running.is_empty() && new.is_empty() && !is_ending { Held::Free } else { Held::ByUs }
    }

    /// Begins to answer at the new addresses; all others go on.
    ///
    /// # Errors
    /// The system has no room for the threads; then nothing has begun.
    pub fn begin(&mut self, prepared: &mut Prepared, server: &Server, current: &CurrentSnapshot) -> io::Result<()> {
        if let (Some(tls), None) = (&server.tls, &self.certificate) {
            self.certificate = Some(Arc::new(Certificate::new(Arc::clone(&tls.certified))));
        }
        for (key, socket) in prepared.new.drain(..) {
            match socket.begin(server, self.certificate.as_ref(), current, &self.counters) {
                Ok(endpoint) => drop(self.running.insert(key, endpoint)),
                Err(error) => {
                    self.give_up();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Ends what the new configuration does not want any more.
    pub fn commit(&mut self, prepared: Prepared, server: &Server) {
        if let (Some(tls), Some(certificate)) = (&server.tls, &self.certificate) {
            certificate.replace(Arc::clone(&tls.certified));
        }
        let settings = (server.workers.get(), server.tcp);
        if self.settings.is_some_and(|running| running != settings) {
            warn!("`workers` and the TCP limits apply to addresses that are bound from now on; restart for the others");
        }
        self.settings = Some(settings);
        self.wanted = prepared.wanted;
        self.give_up();
    }

    /// Ends what the configuration that is served does not want: a reload came to nothing.
    pub fn give_up(&mut self) {
        self.ending.retain(|(.., end)| !end.is_finished());
        let unwanted: Vec<Key> = self.running.keys().filter(|key| !self.wanted.contains(key)).cloned().collect();
        for key in unwanted {
            if let Some(endpoint) = self.running.remove(&key) {
                // It ends beside us: its slowest client must not hold up signals, nor its address a reload.
                let address = endpoint.address;
                endpoint.share(true);
                self.ending.push((key, address, tokio::spawn(endpoint.end())));
            }
        }
    }

    /// Ends all of them, once what has arrived is answered.
    pub async fn end(&mut self) {
        for endpoint in self.running.values() {
            endpoint.tell();
        }
        let ends: Vec<_> = self.running.drain().map(|(_, endpoint)| tokio::spawn(endpoint.end())).collect();
        for end in self.ending.drain(..).map(|(.., end)| end).chain(ends) {
            // A panic of a task was reported when it happened.
            let _ = end.await;
        }
    }

    /// What is listened on: the transport and the address with the port that the system chose.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        let mut addresses: Vec<_> =
            self.running.iter().map(|((transport, _), endpoint)| (transport.to_string(), endpoint.address)).collect();
        let plain = Transport::Plain.to_string();
        addresses.sort_by(|a, b| (a.0 != plain, a).cmp(&(b.0 != plain, b)));
        addresses
    }
}

fn describe((transport, address): &Key, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("{address} is in use by another process ({transport})"),
        io::ErrorKind::PermissionDenied => format!("{address} may not be bound by this user ({transport})"),
        io::ErrorKind::AddrNotAvailable => format!("{} is no address of this machine", address.ip()),
        _ => format!("{address} cannot be bound ({transport}): {error}"),
    }
}
