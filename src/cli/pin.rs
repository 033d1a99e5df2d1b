//! `evenkeel pin`: resolves a shared name and prints one node, for scripts.
//!
//! It fails if the name cannot be resolved or no node accepts connections.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::cluster_args::{ClusterArgs, cluster_url};
use super::runtime::on_runtime;

/// Arguments of `evenkeel pin`.
#[derive(Args, Debug)]
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

/// Runs the command.
pub(super) fn run(args: &PinArgs) -> ExitCode {
    on_runtime(async {
        let pin = args.cluster_args.builder(&args.cluster).build()?.pin().await?;
        let text = if args.curl { pin.curl_arguments() } else { pin.node().to_string() };
        writeln!(io::stdout(), "{text}").context("standard output cannot be written")
    })
}
