//! The connections of a cluster: one HTTP client per node, shared by all sessions at that node.
//!
//! A pin is an address, not a connection: sessions that run one after the other reuse connections
//! that are idle. [`Pin`](crate::Pin) asks for the client of its node. That fails only if an HTTP
//! client cannot be set up.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, redirect};

use crate::error::Error;
use crate::options::Options;

/// Maximum number of nodes whose connections are kept. Above it, the connections of the node that
/// has been idle for the longest time are closed.
const MAX_NODES: usize = 256;

/// Idle connections are closed after this time. Servers and balancers commonly keep them for at
/// least as long, so few requests are sent on a connection that the other side is closing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// The HTTP clients of all nodes.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<HashMap<SocketAddr, NodeClient>>);

/// The HTTP client of one node.
#[derive(Debug)]
struct NodeClient {
    client: Client,
    last_used: Instant,
}

impl Connections {
    /// The HTTP client whose connections all lead to `node`.
    ///
    /// # Errors
    /// The client cannot be set up.
    pub(crate) fn client(&self, node: SocketAddr, options: &Options) -> Result<Client, Error> {
        // A map stays valid after a panic, so lock poisoning is ignored.
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = clients.get_mut(&node) {
            known.last_used = Instant::now();
            return Ok(known.client.clone());
        }
        if clients.len() >= MAX_NODES
            && let Some(&oldest) = clients.iter().min_by_key(|(_, client)| client.last_used).map(|(node, _)| node)
        {
            clients.remove(&oldest);
        }
        let client = new_client(node, options)?;
        clients.insert(node, NodeClient { client: client.clone(), last_used: Instant::now() });
        Ok(client)
    }
}

/// A resolver that returns one address for every name.
struct FixedAddress(SocketAddr);

impl Resolve for FixedAddress {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(self.0));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

/// A client with the shared name in `Host` and SNI. A proxy or a redirect would lead to another
/// node, so neither is used. `node` must have the port of the cluster and, if the cluster is an
/// address, that address: reqwest takes the port from the URL, and resolves only names.
fn new_client(node: SocketAddr, options: &Options) -> Result<Client, Error> {
    let client = Client::builder()
        .tls_backend_preconfigured(options.tls.clone())
        .no_proxy()
        .redirect(redirect::Policy::none())
        .http1_only()
        .connect_timeout(options.connect_timeout)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .dns_resolver(Arc::new(FixedAddress(node)))
        .user_agent(concat!("evenkeel/", env!("CARGO_PKG_VERSION")))
        .build();
    client.map_err(|error| Error::Setup(error.to_string()))
}
