//! How a cluster is used.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;

use super::Error;
use super::cluster::Cluster;
use super::resolve::Resolver;
use super::tls::RootCertificates;

/// How the requests of a session find the node that began it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Affinity {
    /// By its address: the shared name is resolved once.
    #[default]
    Address,
    /// By the cookie of an HTTP balancer: none is sent when a session begins, and the one that came with its first answer is
    /// sent with everything that follows in it, and with nothing else.
    Cookie,
}

/// What was set.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) url: Url,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: ClientConfig,
    pub(super) apikey: Option<HeaderValue>,
    pub(super) affinity: Affinity,
    pub(super) resolver: Resolver,
    pub(super) deadline: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) stall_timeout: Duration,
    pub(super) outage_timeout: Duration,
    pub(super) result_timeout: Duration,
    pub(super) resubmissions: u32,
}

/// A key that cannot stand in a header.
#[derive(Clone, Copy, Debug)]
struct Unsendable;

/// Sets up a [`Cluster`].
#[derive(Clone, Debug)]
pub struct Builder {
    url: String,
    trust: RootCertificates,
    apikey: Result<Option<HeaderValue>, Unsendable>,
    affinity: Affinity,
    name_servers: Vec<SocketAddr>,
    deadline: Duration,
    connect_timeout: Duration,
    stall_timeout: Duration,
    outage_timeout: Duration,
    result_timeout: Duration,
    resubmissions: u32,
}

impl Builder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            trust: RootCertificates::System,
            apikey: Ok(None),
            affinity: Affinity::Address,
            name_servers: Vec::new(),
            deadline: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(3),
            stall_timeout: Duration::from_secs(30),
            outage_timeout: Duration::from_secs(5),
            result_timeout: Duration::from_secs(600),
            resubmissions: 0,
        }
    }

    /// Sent with every request.
    #[must_use]
    pub fn apikey(self, key: &str) -> Self {
        let key = HeaderValue::from_str(key).map(|mut key| {
            key.set_sensitive(true);
            Some(key)
        });
        Self { apikey: key.map_err(|_| Unsendable), ..self }
    }

    /// Certificates that may have signed those of the nodes, instead of those that the system trusts.
    #[must_use]
    pub fn trust(self, certificates: Vec<CertificateDer<'static>>) -> Self {
        Self { trust: RootCertificates::Given(certificates), ..self }
    }

    /// How requests find the node of their session; by its address unless it is said.
    #[must_use]
    pub fn affinity(self, affinity: Affinity) -> Self {
        Self { affinity, ..self }
    }

    /// Whom to ask for the shared name, instead of the system's resolver.
    #[must_use]
    pub fn name_servers(self, servers: Vec<SocketAddr>) -> Self {
        Self { name_servers: servers, ..self }
    }

    /// Longest search for a node that takes a session; 30 s unless it is said. An upload that moves is not broken off by it.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Longest wait for a connection; 3 s unless it is said.
    #[must_use]
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        Self { connect_timeout: timeout, ..self }
    }

    /// Longest time in which nothing moves, of what is sent or answered; 30 s unless it is said.
    #[must_use]
    pub fn stall_timeout(self, timeout: Duration) -> Self {
        Self { stall_timeout: timeout, ..self }
    }

    /// How long the node of a session may be out of reach, of questions about it, before it counts as gone; 5 s unless it is
    /// said. A node that is silent after it was asked is out of reach once `stall_timeout` is over.
    #[must_use]
    pub fn outage_timeout(self, timeout: Duration) -> Self {
        Self { outage_timeout: timeout, ..self }
    }

    /// Longest wait for a result, and for a batch to close; 10 minutes unless it is said.
    #[must_use]
    pub fn result_timeout(self, timeout: Duration) -> Self {
        Self { result_timeout: timeout, ..self }
    }

    /// How often [`Cluster::report`] sends a file again, to another node, when its node dies; never unless it is said.
    #[must_use]
    pub fn resubmissions(self, times: u32) -> Self {
        Self { resubmissions: times, ..self }
    }

    /// The cluster. Nothing is resolved yet. The URL has no path: those of Core nodes begin at the root.
    ///
    /// # Errors
    /// The URL, the key or the certificates cannot be used.
    pub fn build(self) -> Result<Cluster, Error> {
        let odd = |why: &str| Error::Url(self.url.clone(), why.to_owned());
        let url = Url::parse(&self.url).map_err(|error| odd(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(odd("neither http nor https"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
            return Err(odd("it has more than scheme, name and port"));
        }
        let host = url.host_str().ok_or_else(|| odd("it names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = url.port_or_known_default().ok_or_else(|| odd("it names no port"))?;
        let unsendable = |_: Unsendable| Error::Setup("the apikey cannot stand in a header".to_owned());
        let apikey = self.apikey.map_err(unsendable)?;
        // Reading the certificates of the system takes time, and over HTTP no certificate is verified.
        let trust = if url.scheme() == "https" { self.trust } else { RootCertificates::Given(Vec::new()) };
        let tls = trust.client_config().map_err(|error| Error::Setup(error.to_string()))?;
        let resolver = match &self.name_servers[..] {
            [] => Resolver::System,
            servers => Resolver::asking(servers)?,
        };
        Ok(Cluster::new(Options {
            url,
            host,
            port,
            tls,
            apikey,
            affinity: self.affinity,
            resolver,
            deadline: self.deadline,
            connect_timeout: self.connect_timeout,
            stall_timeout: self.stall_timeout,
            outage_timeout: self.outage_timeout,
            result_timeout: self.result_timeout,
            resubmissions: self.resubmissions,
        }))
    }
}
