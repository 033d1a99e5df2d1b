//! All endpoints, and how they change on a reload.
//!
//! The daemon calls, for the start and for each reload:
//!
//! 1. [`Endpoints::prepare`] binds the new addresses. If one cannot be bound, the configuration is
//!    refused and nothing has changed.
//! 2. [`Endpoints::start`] answers there from the current snapshot. On a reload, this comes before
//!    new nodes are probed, so that no address is bound and silent meanwhile.
//! 3. [`Endpoints::commit`] ends the endpoints that the new configuration does not have, once the
//!    new snapshot is stored. If the reload is interrupted, [`Endpoints::rollback`] ends the new
//!    ones instead.
//!
//! Endpoints that are in both configurations go on unchanged. If one overlaps a new address, it
//! lets this address be bound.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tracing::warn;

use super::bind::AddressUse;
use super::connection_budget::ConnectionBudget;
use super::encrypted::{Certificate, EncryptedTransport};
use super::endpoint::{BoundEndpoint, Endpoint, EndpointKind};
use crate::config::{Listen, Server, TcpLimits, overlap};
use evenkeel_core::counters::Counters;
use evenkeel_core::diagnostic::Diagnostics;
use evenkeel_core::snapshot::CurrentSnapshot;

/// What makes two endpoints the same across reloads.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Key {
    kind: EndpointKind,
    /// As configured: port 0 stays 0.
    address: SocketAddr,
}

impl Key {
    /// Returns true if an endpoint that is bound to `address` overlaps this one.
    fn overlaps(&self, kind: &EndpointKind, address: SocketAddr) -> bool {
        self.kind.shares_ports_with(kind) && overlap(self.address, address)
    }
}

/// The endpoints of a configuration that is about to be adopted.
#[derive(Debug)]
pub struct PreparedEndpoints {
    wanted: Vec<Key>,
    new: Vec<(Key, BoundEndpoint)>,
    /// File descriptors for the connections of clients.
    descriptors: usize,
}

/// An endpoint that still answers the queries that have arrived.
#[derive(Debug)]
struct Ending {
    kind: EndpointKind,
    /// As bound: if port 0 is configured, with the port that the system chose.
    address: SocketAddr,
    task: JoinHandle<()>,
}

/// Settings that apply when an endpoint starts.
#[derive(Clone, Copy, Debug, PartialEq)]
struct StartSettings {
    workers: usize,
    tcp: TcpLimits,
}

/// All endpoints.
#[derive(Debug, Default)]
pub struct Endpoints {
    running: HashMap<Key, Endpoint>,
    /// The endpoints of the configuration that is served.
    wanted: Vec<Key>,
    ending: Vec<Ending>,
    certificate: Option<Arc<Certificate>>,
    /// Counts the responses of all endpoints.
    counters: Arc<Counters>,
    /// The file descriptors for the connections of clients.
    budget: ConnectionBudget,
    /// None before the first configuration.
    settings: Option<StartSettings>,
}

impl Endpoints {
    /// No endpoints yet. Their responses will be counted in `counters`.
    pub fn new(counters: Arc<Counters>) -> Self {
        Self { counters, ..Self::default() }
    }

    /// Binds every address that is not listened on yet. Once the configuration is adopted, all
    /// connections of clients together take at most `descriptors` file descriptors.
    ///
    /// # Errors
    /// Names each address that cannot be bound, with its place in the configuration.
    pub fn prepare(&self, server: &Server, descriptors: usize) -> Result<PreparedEndpoints, Diagnostics> {
        let mut prepared = PreparedEndpoints { wanted: Vec::new(), new: Vec::new(), descriptors };
        let mut problems = Diagnostics::default();
        for (kind, listen) in configured(server) {
            let key = Key { kind, address: listen.address };
            if !self.running.contains_key(&key) {
                let address_use = self.share_overlapping(&key, &prepared.new);
                match BoundEndpoint::bind(&key.kind, key.address, server, address_use) {
                    Ok(bound) => prepared.new.push((key.clone(), bound)),
                    Err(error) => problems.push(listen.problem(describe(&key, &error))),
                }
            }
            prepared.wanted.push(key);
        }
        self.running.values().for_each(|endpoint| endpoint.set_reuse_port(false));
        prepared.new.iter().for_each(|(_, bound)| bound.set_reuse_port(false));
        if problems.has_errors() { Err(problems) } else { Ok(prepared) }
    }

    /// Lets an address be bound although this process has bound others that overlap it. Returns
    /// whether there are any.
    fn share_overlapping(&self, key: &Key, new: &[(Key, BoundEndpoint)]) -> AddressUse {
        let mut address_use = AddressUse::Free;
        for (other, endpoint) in &self.running {
            if key.overlaps(&other.kind, endpoint.address) {
                endpoint.set_reuse_port(true);
                address_use = AddressUse::OverlapsOurs;
            }
        }
        for (other, bound) in new {
            if key.overlaps(&other.kind, bound.address()) {
                bound.set_reuse_port(true);
                address_use = AddressUse::OverlapsOurs;
            }
        }
        // These are shared since they began to end.
        let is_ending = |ending: &Ending| !ending.task.is_finished() && key.overlaps(&ending.kind, ending.address);
        if self.ending.iter().any(is_ending) {
            address_use = AddressUse::OverlapsOurs;
        }
        address_use
    }

    /// Starts to answer at the new addresses. All other endpoints keep running.
    ///
    /// # Errors
    /// The system cannot create a thread. New endpoints that have already started are stopped.
    pub fn start(
        &mut self,
        prepared: &mut PreparedEndpoints,
        server: &Server,
        current: &CurrentSnapshot,
    ) -> io::Result<()> {
        if let (Some(tls), None) = (&server.tls, &self.certificate) {
            self.certificate = Some(Arc::new(Certificate::new(Arc::clone(&tls.certified))));
        }
        for (key, bound) in prepared.new.drain(..) {
            match bound.start(server, self.certificate.as_ref(), current, &self.counters, &self.budget) {
                Ok(endpoint) => drop(self.running.insert(key, endpoint)),
                Err(error) => {
                    self.rollback();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Makes the prepared endpoints the wanted ones, and ends all others.
    pub fn commit(&mut self, prepared: PreparedEndpoints, server: &Server) {
        if let (Some(tls), Some(certificate)) = (&server.tls, &self.certificate) {
            certificate.replace(Arc::clone(&tls.certified));
        }
        let settings = StartSettings { workers: server.workers.get(), tcp: server.tcp };
        if self.settings.is_some_and(|before| before != settings) {
            warn!("`workers` and the TCP limits apply to addresses that are bound from now on; restart for the others");
        }
        self.settings = Some(settings);
        self.budget.resize(prepared.descriptors);
        self.wanted = prepared.wanted;
        self.end_unwanted();
    }

    /// Ends the endpoints of a configuration that was not adopted.
    pub fn rollback(&mut self) {
        self.end_unwanted();
    }

    fn end_unwanted(&mut self) {
        self.ending.retain(|ending| !ending.task.is_finished());
        let unwanted: Vec<Key> = self.running.keys().filter(|key| !self.wanted.contains(key)).cloned().collect();
        for key in unwanted {
            if let Some(endpoint) = self.running.remove(&key) {
                // In a task of its own: a slow client must not delay signals, and a reload can bind
                // the address again.
                let address = endpoint.address;
                endpoint.set_reuse_port(true);
                self.ending.push(Ending { kind: key.kind, address, task: tokio::spawn(endpoint.end()) });
            }
        }
    }

    /// Ends all endpoints, once the queries that have arrived are answered.
    pub async fn end(&mut self) {
        for endpoint in self.running.values() {
            endpoint.signal_stop();
        }
        let running: Vec<_> = self.running.drain().map(|(_, endpoint)| tokio::spawn(endpoint.end())).collect();
        let ending = self.ending.drain(..).map(|ending| ending.task);
        for task in ending.chain(running) {
            // A panic of a task was reported when it happened.
            let _ = task.await;
        }
    }

    /// All endpoints, plain ones first: the kind, and the address as bound.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        let mut endpoints: Vec<_> = self.running.iter().collect();
        endpoints.sort_by_cached_key(|(key, endpoint)| {
            (key.kind != EndpointKind::Plain, key.kind.to_string(), endpoint.address)
        });
        endpoints.into_iter().map(|(key, endpoint)| (key.kind.to_string(), endpoint.address)).collect()
    }
}

/// Every address of a configuration, with its kind.
fn configured(server: &Server) -> Vec<(EndpointKind, &Listen)> {
    let mut all: Vec<_> = server.listen.iter().map(|listen| (EndpointKind::Plain, listen)).collect();
    if let Some(tls) = &server.tls {
        let encrypted = [
            (EncryptedTransport::Tls, &tls.dot),
            (EncryptedTransport::Https(tls.doh_path.clone()), &tls.doh),
            (EncryptedTransport::Quic, &tls.doq),
        ];
        for (transport, listens) in encrypted {
            all.extend(listens.iter().map(|listen| (EndpointKind::Encrypted(transport.clone()), listen)));
        }
    }
    all
}

/// Why an address cannot be bound.
fn describe(key: &Key, error: &io::Error) -> String {
    let Key { kind, address } = key;
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("{address} is in use by another process ({kind})"),
        io::ErrorKind::PermissionDenied => format!("{address} may not be bound by this user ({kind})"),
        io::ErrorKind::AddrNotAvailable => format!("{} is not an address of this machine", address.ip()),
        _ => format!("{address} cannot be bound ({kind}): {error}"),
    }
}
