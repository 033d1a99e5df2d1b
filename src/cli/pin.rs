//! `evenkeel pin`: one node of a shared name, for scripts.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::operate::on_runtime;
use crate::client::{Builder, Cluster};

/// Port of the REST API of a Core node.
const CORE_PORT: u16 = 8008;

/// The cluster that a command speaks to.
#[derive(Args, Debug)]
pub(super) struct Shared {
    /// Ask this name server instead of the system's resolver; may stand several times
    #[arg(long = "server", value_name = "ADDRESS:PORT", value_parser = name_server)]
    servers: Vec<SocketAddr>,
    /// Longest search for a node
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    deadline: Duration,
}

fn name_server(text: &str) -> Result<SocketAddr, String> {
    let with_port = || text.parse().map(|address| SocketAddr::new(address, 53));
    text.parse().or_else(|_| with_port()).map_err(|_| "accepted: an address, with or without a port".to_owned())
}

impl Shared {
    /// The cluster behind a URL, or behind a name with or without a port.
    pub(super) fn cluster(&self, name: &str) -> Builder {
        let is_url = name.contains("://");
        let has_port = name.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let url = match (is_url, has_port) {
            (true, _) => name.to_owned(),
            (false, true) => format!("http://{name}"),
            (false, false) => format!("http://{name}:{CORE_PORT}"),
        };
        Cluster::builder(&url).name_servers(self.servers.clone()).deadline(self.deadline)
    }
}

/// Whose node, and how it is shown.
#[derive(Args, Debug)]
pub(super) struct Wanted {
    /// The shared name, with a port (8008 otherwise), or a URL
    #[arg(value_name = "NAME[:PORT]|URL")]
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
        // Whether anybody reads it is their matter.
        let _ = writeln!(io::stdout(), "{text}");
        Ok(())
    })
}
