//! `evenkeel scan`: scans files and folders with a cluster, each file in a session of its own or
//! all in one batch.
//!
//! ```text
//!  args ──► files ──► single │ batch ──► output ──► summary
//!                        │                 └ JSON lines   └ table
//!                        ├ parallel: several files at a time, until an interrupt
//!                        ├ progress: bars on a terminal
//!                        └ journal:  --resume
//! ```
//!
//! `results` has the result of a file and of a batch, `terminal_text` makes text safe for a
//! terminal. If a file cannot be scanned, only that file fails. The command as a whole fails if
//! nothing can be started or, unless a file is blocked, if results cannot be written.

mod args;
mod batch;
mod batch_files;
mod batch_results;
mod content;
mod files;
mod journal;
mod option_args;
mod output;
mod parallel;
mod progress;
mod results;
mod single;
mod summary;
mod terminal_text;

use std::io;
use std::process::ExitCode;

use anyhow::Context;

use super::exit_code::FAILED;
use super::runtime::failed;
use crate::open_files;
use crate::signals::EndSignals;
pub(super) use args::ScanArgs;
use journal::Journal;
use output::{Output, is_broken_pipe};
use progress::ProgressBars;
use results::{FileResult, ScanVerdict};
use summary::Summary;

/// Exit code if a file or the batch is blocked.
const BLOCKED: u8 = 2;

impl ScanArgs {
    /// Runs the command.
    pub(super) fn run(&self) -> ExitCode {
        // Each file takes a descriptor, and its connection another. If the limit cannot be raised,
        // some files may fail.
        let _ = open_files::raise();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let scanned = runtime.context("the async runtime cannot be started").and_then(|runtime| {
            let scanned = runtime.block_on(scan(self));
            // The system's resolver may still block a thread; nothing waits for it.
            runtime.shutdown_background();
            scanned
        });
        match scanned {
            Ok(summary) => {
                print_errors(&summary);
                exit_code(&summary)
            }
            Err(error) => failed(&error),
        }
    }
}

/// Scans all files and prints the results.
///
/// # Errors
/// Nothing can be started.
async fn scan(args: &ScanArgs) -> anyhow::Result<Summary> {
    let listed = files::list(&args.paths);
    if listed.files.is_empty() && listed.unreadable.is_empty() {
        eprintln!("evenkeel: there is no file to scan; links in folders are not followed");
    }
    let (cluster, options) = args.cluster()?;
    if let Some(folder) = &args.sanitized {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("--sanitized: {} cannot be created", folder.display()))?;
    }
    let mut output = Output::new(args.json);
    exit_at_second_signal()?;
    // Caught before the journal is read, which can take long.
    let mut signals = EndSignals::catch()?;
    let journal = Journal::open(args.resume.as_deref(), &args.cluster, &options)?;
    let bars = ProgressBars::new(listed.files.len(), !args.json);
    for (path, reason) in listed.unreadable {
        if output.add_file(FileResult::failed(path, reason)).is_break() {
            return Ok(output.finish());
        }
    }
    if args.batch {
        batch::scan(args, cluster, listed.files, journal, &bars, &mut output, &mut signals).await;
    } else {
        single::scan(args, cluster, listed.files, journal, &bars, &mut output, &mut signals).await;
    }
    bars.finish();
    Ok(output.finish())
}

/// Ends the process at the second SIGINT or SIGTERM. After the first one it may still wait for a
/// node, or block while nothing reads its output.
fn exit_at_second_signal() -> io::Result<()> {
    let mut signals = EndSignals::catch()?;
    tokio::spawn(async move {
        signals.recv().await;
        signals.recv().await;
        std::process::exit(i32::from(FAILED));
    });
    Ok(())
}

/// Prints what went wrong besides the scans of files.
fn print_errors(summary: &Summary) {
    // The reader of the results has closed the pipe; it needs no message.
    let output_error = summary.output_error.as_ref().filter(|error| !is_broken_pipe(error));
    for error in output_error.into_iter().chain(&summary.signed_result_error) {
        let _ = failed(error);
    }
}

/// The exit code; `BLOCKED` has precedence over `FAILED`.
fn exit_code(summary: &Summary) -> ExitCode {
    let has_error = summary.signed_result_error.is_some() || summary.output_error.is_some();
    if summary.verdicts().any(ScanVerdict::is_blocked) {
        ExitCode::from(BLOCKED)
    } else if has_error || summary.verdicts().any(ScanVerdict::is_failed) {
        ExitCode::from(FAILED)
    } else {
        ExitCode::SUCCESS
    }
}
