//! `evenkeel nominate`: makes a backup an active node.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::admin_args::{NodeArgs, ReasonAndDurationArgs};
use super::runtime::on_runtime;
use crate::admin::client;

/// Make a backup an active node; runs the pool's nominate_action first
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  evenkeel nominate core/spare                   one more active node
  evenkeel nominate core/spare --replace core-2  core-2 is a backup from then on")]
pub(super) struct Nominate {
    #[command(flatten)]
    node_args: NodeArgs,
    /// Active node that becomes a backup instead
    #[arg(long, value_name = "NODE")]
    replace: Option<String>,
    /// Change the role only: the node has been promoted already
    #[arg(long)]
    without_action: bool,
    #[command(flatten)]
    reason: ReasonAndDurationArgs,
    /// Do it even if fewer than min_available active nodes would be left, or the backup is not
    /// alive
    #[arg(long)]
    force: bool,
}

impl Nominate {
    /// Runs the command.
    pub(super) fn run(self) -> ExitCode {
        on_runtime(async {
            let Self { node_args, replace, without_action, reason, force } = self;
            let options = reason.into_options(&node_args.by, force);
            let nominate = client::Nominate { options, replaces: replace, without_action };
            if let Some(why) = node_args.client()?.nominate(&node_args.node, nominate).await? {
                // The node is nominated even if standard output is closed.
                let _ = writeln!(std::io::stdout(), "{} is nominated; its action was {why}", node_args.node);
            }
            Ok(())
        })
    }
}
