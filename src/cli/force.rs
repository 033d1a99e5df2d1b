//! `evenkeel force`: forces a node up or down.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use evenkeel_core::pool::ForcedState;

use super::admin_args::{NodeArgs, ReasonArgs};
use super::runtime::on_runtime;

/// Force a node up or down, regardless of its monitors
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  evenkeel force up core/core-2 --for 10m --why 'the monitor is wrong'
  evenkeel force down core/core-2")]
pub(super) struct ForceArgs {
    /// Forced state of the node
    state: State,
    #[command(flatten)]
    node_args: NodeArgs,
    #[command(flatten)]
    reason_args: ReasonArgs,
    /// Skip the safety check: carry out the command even if fewer than min_available active nodes
    /// would be left
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Up,
    Down,
}

impl ForceArgs {
    /// Runs the command.
    pub(super) fn run(self) -> ExitCode {
        on_runtime(async {
            let Self { state, node_args, reason_args, force } = self;
            let state = match state {
                State::Up => ForcedState::Up,
                State::Down => ForcedState::Down,
            };
            node_args
                .client()?
                .set_override(&node_args.node, state, reason_args.into_options(&node_args.by, force))
                .await
        })
    }
}
