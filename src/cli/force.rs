//! `evenkeel force`: forces a node up or down.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use evenkeel_core::pool::ForcedState;

use super::admin_args::{NodeArgs, ReasonAndDurationArgs};
use super::runtime::on_runtime;

/// Force a node up or down, regardless of its monitors
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  evenkeel force up core/core-2 --for 10m --why 'the monitor is wrong'
  evenkeel force down core/core-2")]
pub(super) struct Force {
    /// The state
    state: State,
    #[command(flatten)]
    node_args: NodeArgs,
    #[command(flatten)]
    reason: ReasonAndDurationArgs,
    /// Do it even if fewer than min_available active nodes would be left
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Up,
    Down,
}

impl Force {
    /// Runs the command.
    pub(super) fn run(self) -> ExitCode {
        on_runtime(async {
            let Self { state, node_args, reason, force } = self;
            let state = match state {
                State::Up => ForcedState::Up,
                State::Down => ForcedState::Down,
            };
            node_args.client()?.set_override(&node_args.node, state, reason.into_options(&node_args.by, force)).await
        })
    }
}
