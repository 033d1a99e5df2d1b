//! Runs commands that send requests to a server or to nodes.

use std::future::Future;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;

use super::exit_code::FAILED;

/// Runs a command to its end. If it fails, prints the error to standard error and returns exit
/// code 1.
pub(super) fn on_runtime(command: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.context("the async runtime cannot be started").and_then(|runtime| {
        let outcome = runtime.block_on(command);
        // The system's resolver may still block a thread; nothing waits for it.
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
    // If standard error is closed, the exit code still reports the error.
    let _ = writeln!(io::stderr(), "evenkeel: {error:#}");
    ExitCode::from(FAILED)
}

/// The result of writing to standard output. A reader that has closed the pipe needs no error.
///
/// # Errors
/// Standard output cannot be written, for example because the disk is full.
pub(super) fn unless_closed(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("standard output cannot be written")
        }
        _ => Ok(()),
    }
}
