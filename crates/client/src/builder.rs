//! Sets up a [`Cluster`]: collects options, validates them, and creates what they need.
//!
//! Programs call it once per cluster. Invalid values are errors of [`ClusterBuilder::build`], not
//! of the methods before it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::cluster::Cluster;
use crate::cluster_state::ClusterState;
use crate::error::Error;
use crate::options::{Affinity, Options};
use crate::resolve::Resolver;
use crate::scan_options::ScanOptions;
use crate::tls::{Identity, RootCertificates};

/// An API key that cannot be the value of a header.
#[derive(Clone, Copy, Debug)]
struct InvalidApikey;

/// Sets up a [`Cluster`].
#[derive(Clone, Debug)]
pub struct ClusterBuilder {
    url: String,
    roots: RootCertificates,
    identity: Option<Arc<Identity>>,
    apikey: Result<Option<HeaderValue>, InvalidApikey>,
    scan_options: ScanOptions,
    affinity: Affinity,
    name_servers: Vec<SocketAddr>,
    deadline: Duration,
    connect_timeout: Duration,
    stall_timeout: Duration,
    outage_timeout: Duration,
    result_timeout: Duration,
    resubmissions: u32,
}

impl Cluster {
    /// The cluster at a URL with its shared name, with default options.
    ///
    /// # Errors
    /// The URL is invalid. For HTTPS, also if the system has no root certificates.
    pub fn new(url: &str) -> Result<Self, Error> {
        Self::builder(url).build()
    }

    /// Sets up the cluster at a URL with its shared name, for example
    /// `https://core.lb.example:8008`.
    pub fn builder(url: &str) -> ClusterBuilder {
        ClusterBuilder {
            url: url.to_owned(),
            roots: RootCertificates::System,
            identity: None,
            apikey: Ok(None),
            scan_options: ScanOptions::default(),
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
}

impl ClusterBuilder {
    /// The API key, which is sent with every request in the header `apikey`.
    #[must_use]
    pub fn apikey(self, key: &str) -> Self {
        let key = HeaderValue::from_str(key).map(|mut key| {
            key.set_sensitive(true);
            Some(key)
        });
        Self { apikey: key.map_err(|_| InvalidApikey), ..self }
    }

    /// Rule, passwords and other options that are sent with each file and each batch.
    #[must_use]
    pub fn scan_options(self, options: ScanOptions) -> Self {
        Self { scan_options: options, ..self }
    }

    /// Root certificates to trust instead of those of the system.
    #[must_use]
    pub fn root_certificates(self, certificates: Vec<CertificateDer<'static>>) -> Self {
        Self { roots: RootCertificates::Given(certificates), ..self }
    }

    /// A certificate chain with its private key, for nodes that ask clients for a certificate.
    #[must_use]
    pub fn client_certificate(self, chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self { identity: Some(Arc::new(Identity { chain, key })), ..self }
    }

    /// How the later requests of a session reach the node that started it. Default:
    /// [`Affinity::Address`].
    #[must_use]
    pub fn affinity(self, affinity: Affinity) -> Self {
        Self { affinity, ..self }
    }

    /// Name servers to query for the shared name. Default: the system's resolver.
    #[must_use]
    pub fn name_servers(self, servers: Vec<SocketAddr>) -> Self {
        Self { name_servers: servers, ..self }
    }

    /// Longest search for a node that accepts a session. Default: 30 s. It does not interrupt an
    /// upload that is making progress.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Longest wait for a connection. Default: 3 s.
    #[must_use]
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        Self { connect_timeout: timeout, ..self }
    }

    /// Longest time in which no data of a request or a response is transferred. Default: 30 s.
    #[must_use]
    pub fn stall_timeout(self, timeout: Duration) -> Self {
        Self { stall_timeout: timeout, ..self }
    }

    /// How long a request about a session is repeated if the node cannot be reached; then the node
    /// counts as gone. Default: 5 s.
    ///
    /// A node that accepts connections and stays silent cannot be reached either: a request that
    /// waits for `stall_timeout` has failed, and that time counts. So a silent node is gone after
    /// the longer of both, 30 s by default; an upload into a batch is tried a second time first. At
    /// the end of `result_timeout`, a node that has been silent for `outage_timeout` is gone, too:
    /// the file can be sent elsewhere (`resubmissions`), while a node that responds may have its
    /// result later.
    #[must_use]
    pub fn outage_timeout(self, timeout: Duration) -> Self {
        Self { outage_timeout: timeout, ..self }
    }

    /// Longest wait for the report of a file, and for a batch to close. Default: 10 minutes.
    #[must_use]
    pub fn result_timeout(self, timeout: Duration) -> Self {
        Self { result_timeout: timeout, ..self }
    }

    /// How many times [`Cluster::scan_to_end`] sends a file again, at most, if its session is lost.
    /// Default: 0.
    #[must_use]
    pub fn resubmissions(self, times: u32) -> Self {
        Self { resubmissions: times, ..self }
    }

    /// Creates the cluster. Nothing is resolved yet. The URL must have no path: the paths of
    /// MetaDefender Core begin at the root.
    ///
    /// # Errors
    /// The URL, the API key, a scan option, a root certificate, or the certificate or key of the
    /// client is invalid; the system has no root certificates, and they are needed; or the resolver
    /// cannot be set up.
    pub fn build(self) -> Result<Cluster, Error> {
        let (url, host, port) =
            parse_url(&self.url).map_err(|reason| Error::InvalidUrl { url: self.url.clone(), reason })?;
        let invalid_apikey = |_: InvalidApikey| Error::Setup("the API key cannot be sent in a header".to_owned());
        let apikey = self.apikey.map_err(invalid_apikey)?;
        // Over HTTP no certificate is verified, and reading those of the system takes time.
        let roots = if url.scheme() == "https" { self.roots } else { RootCertificates::Given(Vec::new()) };
        let tls = roots.client_config(self.identity.as_deref()).map_err(|error| Error::Setup(error.to_string()))?;
        let resolver = match &self.name_servers[..] {
            [] => Resolver::System,
            servers => Resolver::with_name_servers(servers).map_err(Error::Setup)?,
        };
        let options = Options {
            url,
            host,
            port,
            tls,
            file_headers: self.scan_options.file_headers().map_err(Error::Setup)?,
            batch_headers: self.scan_options.batch_headers().map_err(Error::Setup)?,
            lookup_headers: self.scan_options.common_headers().map_err(Error::Setup)?,
            rule: self.scan_options.rule_name().map(str::to_owned),
            apikey,
            affinity: self.affinity,
            deadline: self.deadline,
            connect_timeout: self.connect_timeout,
            stall_timeout: self.stall_timeout,
            outage_timeout: self.outage_timeout,
            result_timeout: self.result_timeout,
            resubmissions: self.resubmissions,
        };
        Ok(Cluster::with_state(ClusterState::new(options, resolver)))
    }
}

/// The URL of a cluster with its host, without brackets, and its port.
///
/// # Errors
/// Describes what is invalid.
fn parse_url(text: &str) -> Result<(Url, String, u16), String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("the scheme is neither http nor https".to_owned());
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err("it has more than a scheme, a name and a port".to_owned());
    }
    let host = url.host_str().ok_or("it has no host")?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = url.port_or_known_default().ok_or("it has no port")?;
    if port == 0 {
        return Err("no node listens on port 0".to_owned());
    }
    Ok((url, host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_scheme_a_host_and_a_port_only() {
        let parts = |text| parse_url(text).map(|(_, host, port)| (host, port));
        assert_eq!(parts("http://core.lb.example:8008"), Ok(("core.lb.example".to_owned(), 8008)));
        assert_eq!(parts("https://[2001:db8::1]/"), Ok(("2001:db8::1".to_owned(), 443)));
        for text in ["core.lb.example", "ftp://a", "http://a/b", "http://a?b", "http://a#b", "http://u@a", "http://a:0"]
        {
            assert!(matches!(Cluster::new(text), Err(Error::InvalidUrl { url, .. }) if url == text), "{text}");
        }
    }

    #[test]
    fn an_api_key_with_a_line_break_is_an_error() {
        let built = Cluster::builder("http://a").apikey("a\nb").build();
        assert!(matches!(built, Err(Error::Setup(_))), "{built:?}");
    }
}
