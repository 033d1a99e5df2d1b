//! `evenkeel pin`: resolves a shared name and prints one node, for scripts.
//!
//! It fails if the name cannot be resolved or no node accepts connections.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::cluster_args::{ClusterArgs, cluster_url};
use super::runtime::on_runtime;

/// Resolve a shared name once and print a node that accepts connections
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  evenkeel pin core.lb.example                   10.0.0.12:8008
  pin=$(evenkeel pin core.lb.example --curl) && curl $pin http://core.lb.example:8008/version
  evenkeel pin core.lb.example --server 127.0.0.1:5300")]
pub(super) struct PinArgs {
    /// Shared name with an optional port (default 8008), or a URL
    #[arg(value_name = "NAME[:PORT]|URL", value_parser = cluster_url)]
    cluster: String,
    /// Print arguments that make curl connect to this node and keep the shared name in the URL
    #[arg(long)]
    curl: bool,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

impl PinArgs {
    /// Runs the command.
    pub(super) fn run(&self) -> ExitCode {
        on_runtime(async {
            let pin = self.cluster_args.builder(&self.cluster).build()?.pin().await?;
            let text = if self.curl { pin.curl_arguments() } else { pin.node().to_string() };
            writeln!(io::stdout(), "{text}").context("standard output cannot be written")
        })
    }
}
