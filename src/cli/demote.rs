//! `evenkeel demote`: makes a nominated node a backup again.

use std::process::ExitCode;

use clap::Args;

use super::admin_args::NodeArgs;
use super::runtime::on_runtime;
use crate::admin::client;

/// Make a nominated node a backup again; the node that it replaced becomes active again
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  evenkeel demote core/spare")]
pub(super) struct DemoteArgs {
    #[command(flatten)]
    node_args: NodeArgs,
    /// Skip the safety check: carry out the command even if fewer than min_available active nodes
    /// would be left
    #[arg(long)]
    force: bool,
    /// Change the role without the demote_action
    #[arg(long)]
    without_action: bool,
}

impl DemoteArgs {
    /// Runs the command.
    pub(super) fn run(&self) -> ExitCode {
        let &Self { ref node_args, force, without_action } = self;
        let demote = client::Demote { by: &node_args.by, force, without_action };
        on_runtime(async { node_args.client()?.demote(&node_args.node, demote).await })
    }
}
