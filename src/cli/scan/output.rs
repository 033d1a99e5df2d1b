//! Where results go: to standard output at once if they are JSON, and into the summary.
//!
//! Both kinds of scans add their results here. If standard output cannot be written, the summary
//! holds the error, and nothing more is printed: a verdict counts even if it was not shown.

use std::io::{self, Write};
use std::ops::ControlFlow;

use anyhow::Context;
use evenkeel_core::plural::counted;

use super::results::{BatchResult, FileResult, ScanVerdict};
use super::summary::Summary;

const STDOUT_FAILED: &str = "standard output cannot be written";

/// Prints and collects results.
pub(super) struct Output {
    is_json: bool,
    summary: Summary,
}

impl Output {
    /// An output that prints JSON lines if `is_json`, and a table at the end otherwise.
    pub(super) fn new(is_json: bool) -> Self {
        Self { is_json, summary: Summary::default() }
    }

    /// Adds the result of a file. Breaks off if the reader of standard output has closed it. If the
    /// disk is full, for example, the exit code still tells whether files are blocked.
    pub(super) fn add_file(&mut self, result: FileResult) -> ControlFlow<()> {
        self.print(&result.json());
        self.summary.files.push(result);
        match &self.summary.output_error {
            Some(error) if is_broken_pipe(error) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }

    /// Adds the result of the batch, after those of all files. The node decides about the files that
    /// it has: if others have failed, the batch as a whole has no verdict that covers them.
    pub(super) fn add_batch(&mut self, mut result: BatchResult) {
        let failed = self.summary.files.iter().filter(|file| file.verdict.is_failed()).count();
        if failed > 0 && result.verdict.is_allowed() {
            let files = counted(failed, "file has", "files have");
            result.verdict = ScanVerdict::Failed(format!("the node allows its files, but {files} failed"));
        }
        self.print(&result.json());
        self.summary.batch = Some(result);
    }

    /// Notes that the signed result of the batch could not be saved.
    pub(super) fn set_signed_result_error(&mut self, error: anyhow::Error) {
        self.summary.signed_result_error = Some(error);
    }

    /// Prints the table unless results are JSON; returns all results, sorted by path.
    pub(super) fn finish(mut self) -> Summary {
        self.summary.files.sort_by(|a, b| a.path.cmp(&b.path));
        if !self.is_json {
            self.summary.output_error = self.summary.print_table().context(STDOUT_FAILED).err();
        }
        self.summary
    }

    fn print(&mut self, json: &str) {
        if self.is_json && self.summary.output_error.is_none() {
            self.summary.output_error = writeln!(io::stdout(), "{json}").context(STDOUT_FAILED).err();
        }
    }
}

/// Returns true if the reader of standard output has closed it.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
