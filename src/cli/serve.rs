//! `evenkeel serve`: answers queries.

use std::process::ExitCode;

use clap::Args;

use super::config_file::ConfigFileArgs;
use super::run_daemon::run_daemon;

/// Answer queries until SIGTERM; SIGHUP reloads the configuration
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  evenkeel serve                                 with /etc/evenkeel/evenkeel.toml
  evenkeel serve --config lb.toml
  kill -HUP PID                                  reload; an invalid file is refused
  EVENKEEL_LOG=debug evenkeel serve              log debug messages")]
pub(super) struct ServeArgs {
    #[command(flatten)]
    config_file_args: ConfigFileArgs,
}

impl ServeArgs {
    /// Runs the server until a signal ends it.
    pub(super) fn run(&self) -> ExitCode {
        run_daemon(self.config_file_args.origin(), async || Ok(()), || {})
    }
}
