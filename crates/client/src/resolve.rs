//! Lookup of the shared name.
//!
//! The search for a node resolves the name once per round and gets all addresses in random order. A
//! lookup fails with a [`ResolveError`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

/// Where the shared name is looked up.
#[derive(Clone, Debug)]
pub(crate) enum Resolver {
    /// The system's resolver, as in other programs.
    System,
    /// These name servers. Responses are not cached: they reflect the health of nodes at this
    /// moment.
    NameServers(Arc<TokioResolver>),
}

/// Why a lookup returned no address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The name servers responded with NXDOMAIN. The search for a node ends.
    #[error("the name does not exist (NXDOMAIN)")]
    NoSuchName,
    /// The name exists without A and AAAA records, or all of them were left out.
    #[error("the name has no addresses")]
    NoAddresses,
    /// No response arrived before the deadline.
    #[error("no response before the deadline")]
    Timeout,
    /// Any other failure, as the resolver describes it.
    #[error("{0}")]
    Failed(String),
}

impl ResolveError {
    /// Returns true if a later lookup is not expected to differ.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::NoSuchName)
    }
}

impl Resolver {
    /// A resolver that queries these name servers.
    ///
    /// # Errors
    /// The resolver cannot be set up; describes why.
    pub(crate) fn with_name_servers(servers: &[SocketAddr]) -> Result<Self, String> {
        let mut config = ResolverConfig::default();
        for server in servers {
            let mut name_server = NameServerConfig::udp_and_tcp(server.ip());
            name_server.connections.iter_mut().for_each(|connection| connection.port = server.port());
            config.add_name_server(name_server);
        }
        let mut options = ResolverOpts::default();
        options.cache_size = 0;
        options.ndots = 0;
        // A caller that names servers wants their response, not an entry of /etc/hosts.
        options.use_hosts_file = ResolveHosts::Never;
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let resolver = builder.with_options(options).build().map_err(|error| error.to_string())?;
        Ok(Self::NameServers(Arc::new(resolver)))
    }

    /// Returns the addresses of a name, at least one, in random order and without duplicates.
    /// Systems and resolvers sort addresses (RFC 6724), and that order must not decide which node
    /// is used.
    pub(crate) async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let mut addresses: Vec<IpAddr> = match self {
            Self::System => {
                let found = tokio::net::lookup_host((name, 0)).await;
                let found = found.map_err(|error| ResolveError::Failed(error.to_string()))?;
                found.map(|address| address.ip()).collect()
            }
            Self::NameServers(resolver) => {
                let found = resolver.lookup_ip(name).await.map_err(|error| match error {
                    error if error.is_nx_domain() => ResolveError::NoSuchName,
                    error if error.is_no_records_found() => ResolveError::NoAddresses,
                    error => ResolveError::Failed(error.to_string()),
                })?;
                found.iter().collect()
            }
        };
        addresses.sort_unstable();
        addresses.dedup();
        fastrand::shuffle(&mut addresses);
        if addresses.is_empty() { Err(ResolveError::NoAddresses) } else { Ok(addresses) }
    }
}
