//! From the shared name to addresses, once.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use super::Error;

/// Whom the name is asked of.
#[derive(Clone, Debug)]
pub(super) enum Resolver {
    /// The system, as every other program does.
    System,
    /// These name servers, without a cache: what the server says of its nodes is meant for this moment.
    Servers(Arc<TokioResolver>),
}

/// Why a name has no addresses.
pub(super) struct Unresolved {
    pub(super) why: String,
    /// Whether there is no such name: it will have none in a moment either.
    pub(super) is_final: bool,
}

impl Resolver {
    /// A resolver that asks some name servers.
    pub(super) fn asking(servers: &[SocketAddr]) -> Result<Self, Error> {
        let mut config = ResolverConfig::default();
        for server in servers {
            let mut at = NameServerConfig::udp_and_tcp(server.ip());
            at.connections.iter_mut().for_each(|connection| connection.port = server.port());
            config.add_name_server(at);
        }
        let mut options = ResolverOpts::default();
        options.cache_size = 0;
        options.ndots = 0;
        // Who names servers wants to know what they say.
        options.use_hosts_file = ResolveHosts::Never;
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let resolver = builder.with_options(options).build().map_err(|error| Error::Setup(error.to_string()))?;
        Ok(Self::Servers(Arc::new(resolver)))
    }

    /// The addresses of a name, in random order: what resolvers and systems sort must not decide which node is taken.
    pub(super) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved> {
        let failed = |why: String| Unresolved { why, is_final: false };
        let mut addresses: Vec<IpAddr> = match self {
            Self::System => {
                let found = tokio::net::lookup_host((name, 0)).await.map_err(|error| failed(error.to_string()))?;
                found.map(|address| address.ip()).collect()
            }
            Self::Servers(resolver) => {
                let found = resolver.lookup_ip(name).await.map_err(|error| match error {
                    error if error.is_nx_domain() => {
                        Unresolved { why: "the name servers know no such name".to_owned(), is_final: true }
                    }
                    error if error.is_no_records_found() => failed("it has no addresses".to_owned()),
                    error => failed(error.to_string()),
                })?;
                found.iter().collect()
            }
        };
        addresses.sort_unstable();
        addresses.dedup();
        fastrand::shuffle(&mut addresses);
        if addresses.is_empty() { Err(failed("it has no addresses".to_owned())) } else { Ok(addresses) }
    }
}
