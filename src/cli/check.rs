//! `evenkeel check`: loads a configuration as `serve` does, without serving it.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use evenkeel_core::diagnostic::Diagnostics;
use evenkeel_core::plural::counted;

use super::config_file::ConfigFileArgs;
use super::exit_code::CONFIG;
use super::runtime::{failed, unless_closed};
use crate::config::{self, LoadedConfig};

/// Load a configuration as `serve` does and report every error
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  evenkeel check --config lb.toml                exit code 78 if there is an error
  evenkeel check --config lb.toml && kill -HUP PID")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config_file_args: ConfigFileArgs,
}

impl CheckArgs {
    /// Runs the command.
    pub(super) fn run(&self) -> ExitCode {
        let loaded = config::load(&self.config_file_args.origin());
        let printed = print(&loaded);
        match unless_closed(printed) {
            // If standard error is closed, the exit code still reports the error.
            _ if loaded.is_err() => ExitCode::from(CONFIG),
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        }
    }
}

/// Prints every problem, and a summary.
fn print(loaded: &Result<LoadedConfig, Diagnostics>) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    let problems = match loaded {
        Ok(loaded) => &loaded.warnings,
        Err(problems) => problems,
    };
    for problem in problems.iter() {
        writeln!(stderr, "{problem}\n")?;
    }
    match loaded {
        Ok(loaded) => writeln!(io::stdout().lock(), "ok: {}", loaded.summary()),
        Err(errors) => writeln!(stderr, "{}", counted(errors.error_count(), "error", "errors")),
    }
}
