//! `evenkeel nominate`: makes a backup an active node.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::admin_args::{NodeArgs, ReasonArgs};
use super::runtime::on_runtime;
use crate::admin::client;

/// Run the pool's nominate_action, then make the backup an active node
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  evenkeel nominate core/spare                   one more active node
  evenkeel nominate core/spare --replace core-2  core-2 becomes a backup")]
pub(super) struct NominateArgs {
    #[command(flatten)]
    node_args: NodeArgs,
    /// Active node to replace; it becomes a backup
    #[arg(long, value_name = "NODE")]
    replace: Option<String>,
    /// Change the role without the nominate_action; use it if the node has been promoted already
    #[arg(long)]
    without_action: bool,
    #[command(flatten)]
    reason_args: ReasonArgs,
    /// Skip the safety check: carry out the command even if fewer than min_available active nodes
    /// would be left, or if neither the monitors nor the standby monitors find the backup up
    #[arg(long)]
    force: bool,
}

impl NominateArgs {
    /// Runs the command.
    pub(super) fn run(self) -> ExitCode {
        on_runtime(async {
            let Self { node_args, replace, without_action, reason_args, force } = self;
            let options = reason_args.into_options(&node_args.by, force);
            let nominate = client::Nominate { options, replaces: replace, without_action };
            if let Some(why) = node_args.client()?.nominate(&node_args.node, nominate).await? {
                // The node is nominated even if standard output is closed.
                let _ = writeln!(std::io::stdout(), "{} is nominated; its action was {why}", node_args.node);
            }
            Ok(())
        })
    }
}
