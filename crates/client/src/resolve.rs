//! Lookup of the shared name.
//!
//! The search for a node resolves the name once per round. It gets all addresses in random order. A
//! lookup fails with a [`ResolveError`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType};
use futures_util::future::{Either, select};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use tokio::time::timeout;

/// How long the addresses of one family wait for those of the other. Some name servers never
/// respond to AAAA queries (RFC 4074 §4.1).
const OTHER_FAMILY: Duration = Duration::from_millis(500);

/// Where the shared name is looked up.
#[derive(Clone, Debug)]
pub(crate) enum Resolver {
    /// The system's resolver, as in other programs.
    System,
    /// These name servers, without a cache.
    NameServers(Arc<TokioResolver>),
}

/// Why a lookup returned no address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The name does not exist (NXDOMAIN). The search for a node ends.
    #[error("the name does not exist (NXDOMAIN)")]
    NoSuchName,
    /// The name servers refuse to answer (REFUSED): they do not serve the zone of the name. The
    /// search for a node ends.
    #[error("the name servers refuse to answer (REFUSED)")]
    Refused,
    /// The name exists without A and AAAA records, or all of them were left out.
    #[error("the name has no addresses")]
    NoAddresses,
    /// No name server responded in time.
    #[error("no response from the name servers")]
    Timeout,
    /// Any other failure, as the resolver describes it.
    #[error("{0}")]
    Failed(String),
}

impl ResolveError {
    /// Returns true if a later lookup is not expected to differ.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::NoSuchName | Self::Refused)
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

    /// The addresses of a name, at least one and without duplicates, in random order. Systems and
    /// resolvers sort addresses (RFC 6724), and that order must not decide which node is used.
    ///
    /// Each session has a lookup of its own: a response may hold only some of the nodes, so
    /// sessions that share one would not be spread over all of them.
    pub(crate) async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let mut addresses = match self {
            Self::System => {
                let name = name.to_owned();
                let lookup = tokio::task::spawn_blocking(move || of_system(&name));
                lookup.await.unwrap_or_else(|panic| Err(ResolveError::Failed(panic.to_string())))?
            }
            Self::NameServers(resolver) => of_name_servers(resolver, name).await?,
        };
        addresses.sort_unstable();
        addresses.dedup();
        fastrand::shuffle(&mut addresses);
        if addresses.is_empty() { Err(ResolveError::NoAddresses) } else { Ok(addresses) }
    }
}

/// Asks the system. It may return an address several times.
fn of_system(name: &str) -> Result<Vec<IpAddr>, ResolveError> {
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    let found = dns_lookup::getaddrinfo(Some(name), None, Some(hints)).map_err(|error| match error.kind() {
        LookupErrorKind::NoName => ResolveError::NoSuchName,
        LookupErrorKind::NoData => ResolveError::NoAddresses,
        _ => ResolveError::Failed(std::io::Error::from(error).to_string()),
    })?;
    Ok(found.filter_map(Result::ok).map(|info| info.sockaddr.ip()).collect())
}

/// Asks the name servers for both families at the same time.
async fn of_name_servers(resolver: &TokioResolver, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
    let (v4, v6) = (std::pin::pin!(resolver.ipv4_lookup(name)), std::pin::pin!(resolver.ipv6_lookup(name)));
    let (first, second) = match select(v4, v6).await {
        Either::Left((first, other)) => with_other_family(first, other).await,
        Either::Right((first, other)) => with_other_family(first, other).await,
    };
    match (first, second) {
        (Ok(first), second) => Ok([first, second.unwrap_or_default()].concat()),
        (Err(_), Ok(second)) => Ok(second),
        (Err(reason), Err(other)) if other.is_final() || reason == ResolveError::NoAddresses => Err(other),
        (Err(reason), Err(_)) => Err(reason),
    }
}

/// The result of one family, and that of the other. If there are addresses already, the other
/// family gets only a little more time.
async fn with_other_family(
    first: Result<Lookup, NetError>,
    other: impl Future<Output = Result<Lookup, NetError>>,
) -> (Result<Vec<IpAddr>, ResolveError>, Result<Vec<IpAddr>, ResolveError>) {
    let first = addresses(first);
    let other = match first {
        Ok(_) => timeout(OTHER_FAMILY, other).await.map_or(Err(ResolveError::Timeout), addresses),
        Err(_) => addresses(other.await),
    };
    (first, other)
}

/// The addresses in the answer of a name server.
fn addresses(lookup: Result<Lookup, NetError>) -> Result<Vec<IpAddr>, ResolveError> {
    let lookup = lookup.map_err(|error| match error {
        error if error.is_nx_domain() => ResolveError::NoSuchName,
        error if error.is_no_records_found() => ResolveError::NoAddresses,
        NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => ResolveError::Refused,
        NetError::Timeout => ResolveError::Timeout,
        error => ResolveError::Failed(error.to_string()),
    })?;
    let addresses: Vec<IpAddr> = lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect();
    if addresses.is_empty() { Err(ResolveError::NoAddresses) } else { Ok(addresses) }
}
