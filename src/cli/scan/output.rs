//! Where results go: to standard output at once if they are JSON, and into the summary.
//!
//! Both kinds of scans add their results here. It fails if standard output cannot be written.

use std::io::{self, Write};

use anyhow::Context;

use super::results::{BatchResult, FileResult};
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

    /// Adds the result of a file.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn add_file(&mut self, result: FileResult) -> anyhow::Result<()> {
        self.print(&result.json())?;
        self.summary.files.push(result);
        Ok(())
    }

    /// Adds the result of the batch.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn add_batch(&mut self, result: BatchResult) -> anyhow::Result<()> {
        self.print(&result.json())?;
        self.summary.batch = Some(result);
        Ok(())
    }

    /// Notes that the signed result of the batch could not be saved.
    pub(super) fn set_signed_result_error(&mut self, error: anyhow::Error) {
        self.summary.signed_result_error = Some(error);
    }

    /// Prints the table unless results are JSON; returns all results, sorted by path.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn finish(mut self) -> anyhow::Result<Summary> {
        self.summary.files.sort_by(|a, b| a.path.cmp(&b.path));
        if !self.is_json {
            self.summary.print_table().context(STDOUT_FAILED)?;
        }
        Ok(self.summary)
    }

    fn print(&self, json: &str) -> anyhow::Result<()> {
        if self.is_json { writeln!(io::stdout(), "{json}").context(STDOUT_FAILED) } else { Ok(()) }
    }
}
