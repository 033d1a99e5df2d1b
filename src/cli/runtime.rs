//! Runs commands that talk to a server or to nodes.

use std::future::Future;
use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;

use super::exit_code::FAILED;

/// Runs a command to its end. An error is printed to standard error, and the exit code tells of it.
pub(super) fn on_runtime(command: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.context("no runtime").and_then(|runtime| {
        let outcome = runtime.block_on(command);
        // Do not wait for a system resolver that is still busy.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Prints an error to standard error.
pub(super) fn failed(error: &anyhow::Error) -> ExitCode {
    // If standard error is closed, the exit code still tells.
    let _ = writeln!(std::io::stderr(), "evenkeel: {error:#}");
    ExitCode::from(FAILED)
}
