//! `evenkeel serve`: answers queries.

use std::process::ExitCode;

use clap::Args;

use super::config_file::ConfigFile;
use super::run_daemon::run_daemon;

/// Answer queries until SIGTERM; SIGHUP reloads the configuration
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  evenkeel serve                                 with /etc/evenkeel/evenkeel.toml
  evenkeel serve --config lb.toml
  kill -HUP PID                                  reload; an invalid file is refused
  EVENKEEL_LOG=debug evenkeel serve              log debug messages")]
pub(super) struct Serve {
    #[command(flatten)]
    file: ConfigFile,
}

impl Serve {
    /// Runs the server until a signal ends it.
    pub(super) fn run(&self) -> ExitCode {
        run_daemon(self.file.origin(), async || Ok(()), || {})
    }
}
