//! The results of a scan, and the table that shows them on a terminal.

use std::io::{self, IsTerminal, Write};

use super::results::{BatchResult, FileResult, ScanVerdict};
use super::terminal_text::{clip, fit};

/// Widths of columns. With the verdict and the time, the table is 80 columns wide.
const FILE_WIDTH: usize = 36;
const NODE_WIDTH: usize = 21;

/// Bold red and its end; readable on dark and on light terminals.
const RED: (&str, &str) = ("\u{1b}[1;31m", "\u{1b}[0m");

/// All results.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) files: Vec<FileResult>,
    pub(super) batch: Option<BatchResult>,
    /// Why the signed result of the batch could not be saved.
    pub(super) signed_result_error: Option<anyhow::Error>,
    /// Why standard output cannot be written.
    pub(super) output_error: Option<anyhow::Error>,
}

impl Summary {
    /// The verdicts of all files and of the batch.
    pub(super) fn verdicts(&self) -> impl Iterator<Item = &ScanVerdict> {
        self.files.iter().map(|file| &file.verdict).chain(self.batch.as_ref().map(|batch| &batch.verdict))
    }

    /// Prints the table, with colours if standard output is a terminal that has them.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn print_table(&self) -> io::Result<()> {
        let use_colours = io::stdout().is_terminal()
            && std::env::var_os("NO_COLOR").is_none()
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let mut out = io::BufWriter::new(io::stdout().lock());
        writeln!(out, "{}  {:NODE_WIDTH$}  {:7}  {:>7}", fit("FILE", FILE_WIDTH), "NODE", "VERDICT", "TIME")?;
        for file in &self.files {
            let (verdict, reason) = file.verdict.word_and_reason();
            let node = file.node.map_or_else(|| "-".to_owned(), |node| node.to_string());
            let path = fit(&file.path.display().to_string(), FILE_WIDTH);
            let (begin, end) = if use_colours && !file.verdict.is_allowed() { RED } else { ("", "") };
            let seconds = format!("{:.1} s", file.duration.as_secs_f64());
            writeln!(out, "{path}  {node:NODE_WIDTH$}  {begin}{verdict:7}{end}  {seconds:>7}")?;
            if !reason.is_empty() {
                writeln!(out, "    {}", clip(reason))?;
            }
        }
        let count =
            |is_counted: fn(&ScanVerdict) -> bool| self.files.iter().filter(|file| is_counted(&file.verdict)).count();
        let (allowed, blocked, failed) =
            (count(ScanVerdict::is_allowed), count(ScanVerdict::is_blocked), count(ScanVerdict::is_failed));
        writeln!(out, "\n{allowed} allowed, {blocked} blocked, {failed} failed")?;
        if let Some(BatchResult { node, batch_id, verdict }) = &self.batch {
            let (verdict, reason) = verdict.word_and_reason();
            let reason = if reason.is_empty() { String::new() } else { format!(": {}", clip(reason)) };
            writeln!(out, "batch {batch_id} at {node}: {verdict}{reason}")?;
        }
        out.flush()
    }
}
