//! `evenkeel resume`: removes the override of a node.

use std::process::ExitCode;

use clap::Args;

use super::admin_args::Target;
use super::runtime::on_runtime;

/// Remove the override of a node: its monitors decide again
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  evenkeel resume core/core-2                    after drain or force")]
pub(super) struct Resume {
    #[command(flatten)]
    target: Target,
}

impl Resume {
    /// Runs the command.
    pub(super) fn run(&self) -> ExitCode {
        let Self { target } = self;
        on_runtime(async { target.client()?.remove_override(&target.node, &target.by).await })
    }
}
