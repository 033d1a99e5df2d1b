//! Command-line arguments that name a cluster and how to reach it, shared by `scan` and `pin`.
//!
//! clap parses them. If a value is not accepted, the usage error names the accepted values.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::Args;
use evenkeel_client::{Cluster, ClusterBuilder};

/// Port of the REST API of a Core node.
const CORE_PORT: u16 = 8008;

/// How the nodes of a cluster are found.
#[derive(Args, Debug)]
pub(super) struct ClusterArgs {
    /// Query this name server instead of the system's resolver; can be repeated
    #[arg(long = "server", value_name = "ADDRESS[:PORT]", value_parser = name_server)]
    servers: Vec<SocketAddr>,
    /// Give up the search for a node after this time
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    deadline: Duration,
}

impl ClusterArgs {
    /// Returns a builder for the cluster at `url`, with the options of the command line.
    pub(super) fn builder(&self, url: &str) -> ClusterBuilder {
        Cluster::builder(url).name_servers(self.servers.clone()).deadline(self.deadline)
    }
}

/// Parses the address of a name server. The default port is 53.
fn name_server(text: &str) -> Result<SocketAddr, String> {
    let with_default_port = || text.parse().map(|address| SocketAddr::new(address, 53));
    let server = text.parse().or_else(|_| with_default_port()).ok().filter(|server: &SocketAddr| server.port() != 0);
    server.ok_or_else(|| "accepted: an address, with or without a port".to_owned())
}

/// The URL of a cluster. Accepted: a URL, or a name or an address, with or without a port. For a
/// name or an address, the scheme is HTTP and the default port is 8008.
pub(super) fn cluster_url(text: &str) -> Result<String, String> {
    let url = match (text.parse(), text.rsplit_once(':')) {
        (Ok(IpAddr::V6(address)), _) => format!("http://[{address}]:{CORE_PORT}"),
        _ if text.contains("://") => text.to_owned(),
        (_, Some((_, port))) if !port.ends_with(']') => format!("http://{text}"),
        _ => format!("http://{text}:{CORE_PORT}"),
    };
    // Checked as HTTP: for HTTPS, building the cluster reads the system's certificates.
    let cluster = Cluster::new(&url.replacen("https://", "http://", 1));
    cluster.map(|_| url).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_mean_http_at_the_port_of_core_nodes() {
        for (text, url) in [
            ("core.lb.example", "http://core.lb.example:8008"),
            ("core.lb.example:80", "http://core.lb.example:80"),
            ("10.0.0.11", "http://10.0.0.11:8008"),
            ("2001:db8::1", "http://[2001:db8::1]:8008"),
            ("[2001:db8::1]", "http://[2001:db8::1]:8008"),
            ("https://core.lb.example", "https://core.lb.example"),
        ] {
            assert_eq!(cluster_url(text).as_deref(), Ok(url));
        }
        assert!(cluster_url("https://core.lb.example/file").is_err() && cluster_url("core.lb.example:0").is_err());
    }

    #[test]
    fn name_servers_have_port_53_unless_another_is_given() {
        assert_eq!(name_server("192.0.2.1").unwrap().to_string(), "192.0.2.1:53");
        assert_eq!(name_server("[2001:db8::1]:5300").unwrap().to_string(), "[2001:db8::1]:5300");
        assert!(name_server("localhost").is_err() && name_server("192.0.2.1:0").is_err());
    }
}
