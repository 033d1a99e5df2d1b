//! `evenkeel resume`: removes the override of a node.

use std::process::ExitCode;

use clap::Args;

use super::admin_args::NodeArgs;
use super::runtime::on_runtime;

/// Remove the override of a node: its monitors decide again
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  evenkeel resume core/core-2                    after drain or force")]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    node_args: NodeArgs,
}

impl ResumeArgs {
    /// Runs the command.
    pub(super) fn run(&self) -> ExitCode {
        let Self { node_args } = self;
        on_runtime(async { node_args.client()?.remove_override(&node_args.node, &node_args.by).await })
    }
}
