//! `evenkeel pin`: one node of a shared name, for scripts.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::operate::on_runtime;
use evenkeel_client::{Cluster, ClusterBuilder};

/// Port of the REST API of a Core node.
const CORE_PORT: u16 = 8008;

/// The cluster that a command speaks to.
#[derive(Args, Debug)]
pub(super) struct Shared {
    /// Ask this name server instead of the system's resolver; may stand several times
    #[arg(long = "server", value_name = "ADDRESS:PORT", value_parser = name_server)]
    servers: Vec<SocketAddr>,
    /// Longest search for a node; an upload that moves is not broken off
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    deadline: Duration,
}

fn name_server(text: &str) -> Result<SocketAddr, String> {
    let with_port = || text.parse().map(|address| SocketAddr::new(address, 53));
    text.parse().or_else(|_| with_port()).map_err(|_| "accepted: an address, with or without a port".to_owned())
}

/// The URL of a cluster that is named by a URL, or by a name or an address with or without a port.
pub(super) fn cluster_url(text: &str) -> Result<String, String> {
    let url = match (text.parse(), text.rsplit_once(':')) {
        (Ok(IpAddr::V6(address)), _) => format!("http://[{address}]:{CORE_PORT}"),
        _ if text.contains("://") => text.to_owned(),
        (_, Some((_, port))) if !port.ends_with(']') => format!("http://{text}"),
        _ => format!("http://{text}:{CORE_PORT}"),
    };
    // TLS is set up when it is used.
    let is_url = Cluster::builder(&url.replacen("https://", "http://", 1)).build();
    is_url.map(|_| url).map_err(|error| error.to_string())
}

impl Shared {
    /// The cluster behind a URL.
    pub(super) fn cluster(&self, url: &str) -> ClusterBuilder {
        Cluster::builder(url).name_servers(self.servers.clone()).deadline(self.deadline)
    }
}

/// Whose node, and how it is shown.
#[derive(Args, Debug)]
pub(super) struct Wanted {
    /// The shared name, with a port (8008 otherwise), or a URL
    #[arg(value_name = "NAME[:PORT]|URL", value_parser = cluster_url)]
    name: String,
    /// Show it as arguments of curl, which then reaches this node under the shared name
    #[arg(long)]
    curl: bool,
    #[command(flatten)]
    shared: Shared,
}

pub(super) fn run(wanted: &Wanted) -> ExitCode {
    on_runtime(async {
        let pin = wanted.shared.cluster(&wanted.name).build()?.pin().await?;
        let node = pin.node();
        let text = if wanted.curl { pin.curl_arguments() } else { node.to_string() };
        writeln!(io::stdout(), "{text}").context("standard output cannot be written")
    })
}
