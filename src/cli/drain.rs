//! `evenkeel drain`: leaves a node out of the answers.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use evenkeel_core::pool::ForcedState;

use super::admin_args::{NodeArgs, ReasonArgs};
use super::runtime::on_runtime;
use crate::clock::unix_now;

/// How often `--wait` asks the server whether the node is idle.
const POLL: Duration = Duration::from_millis(200);

/// Leave a node out of the answers; its sessions continue
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  evenkeel drain core/core-2 --why patching
  evenkeel drain core/core-2 --for 2h            resumes automatically after 2 h
  evenkeel drain core/core-2 --wait              return when the last answer that contained it has expired")]
pub(super) struct DrainArgs {
    #[command(flatten)]
    node_args: NodeArgs,
    #[command(flatten)]
    reason_args: ReasonArgs,
    /// Skip the safety check: carry out the command even if fewer than min_available active nodes
    /// would be left
    #[arg(long)]
    force: bool,
    /// Wait until the last answer that contained the node has expired
    #[arg(long)]
    wait: bool,
}

impl DrainArgs {
    /// Runs the command.
    pub(super) fn run(self) -> ExitCode {
        on_runtime(async {
            let Self { node_args, reason_args, force, wait } = self;
            let options = reason_args.into_options(&node_args.by, force);
            node_args.client()?.set_override(&node_args.node, ForcedState::Drain, options).await?;
            if wait { wait_until_idle(&node_args).await } else { Ok(()) }
        })
    }
}

/// Waits until the last answer that contained the node has expired.
async fn wait_until_idle(node_args: &NodeArgs) -> anyhow::Result<()> {
    let (client, id) = (node_args.client()?, &node_args.node);
    loop {
        let status = client.status().await?;
        let pool = status.pools.iter().find(|found| found.name == id.pool());
        let found = pool.and_then(|pool| pool.nodes.iter().find(|found| found.name == id.node()));
        match found {
            None => bail!("{id} is no longer in the configuration"),
            Some(node) if node.r#override.as_ref().is_none_or(|forced| forced.state != ForcedState::Drain) => {
                bail!("{id} is no longer drained")
            }
            // A node that was not eligible before is idle.
            Some(node) if node.idle_from.is_none_or(|idle| idle <= unix_now()) => return Ok(()),
            Some(_) => tokio::time::sleep(POLL).await,
        }
    }
}
