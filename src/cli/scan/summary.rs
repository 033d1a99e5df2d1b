//! What came of each file: a table for people, lines of JSON for programs.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::bars::shortened;
use crate::client::{Report, Verdict};

/// A file that was scanned, or was to be.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) path: PathBuf,
    /// The node and its name for the file, if there was one.
    pub(super) session: Option<(SocketAddr, String)>,
    pub(super) outcome: Outcome,
    pub(super) took: Duration,
}

/// What came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// It may pass.
    Allowed,
    /// It may not, and why.
    Blocked(String),
    /// Nobody knows, and why.
    Failed(String),
}

impl Done {
    pub(super) fn reported(path: PathBuf, report: &Report, took: Duration) -> Self {
        let outcome = match &report.verdict {
            Verdict::Allowed => Outcome::Allowed,
            Verdict::Blocked(why) => Outcome::Blocked(why.clone()),
        };
        Self { path, session: Some((report.node, report.data_id.clone())), outcome, took }
    }

    fn words(&self) -> (&'static str, &str) {
        match &self.outcome {
            Outcome::Allowed => ("allowed", ""),
            Outcome::Blocked(why) => ("blocked", why),
            Outcome::Failed(why) => ("failed", why),
        }
    }

    /// As a line of JSON.
    pub(super) fn json(&self) -> String {
        let (verdict, reason) = self.words();
        let (node, data_id) = self.session.as_ref().map(|(node, id)| (node.to_string(), id.as_str())).unzip();
        json!({
            "path": self.path.to_string_lossy(),
            "verdict": verdict,
            "reason": reason,
            "node": node,
            "data_id": data_id,
            "seconds": self.took.as_secs_f64(),
        })
        .to_string()
    }
}

/// Columns of the table: what is left of 80 after node, verdict and time is the file's.
const FILE: usize = 36;
const NODE: usize = 21;

/// Shows the table, with colours on a terminal that both dark and light ones have.
pub(super) fn show(all: &[Done]) -> io::Result<()> {
    let is_terminal = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut out = io::stdout().lock();
    writeln!(out, "{:FILE$}  {:NODE$}  {:7}  {:>7}", "FILE", "NODE", "VERDICT", "TIME")?;
    for done in all {
        let (verdict, reason) = done.words();
        let node = done.session.as_ref().map_or_else(|| "-".to_owned(), |(node, _)| node.to_string());
        let file = shortened(&done.path.display().to_string(), FILE);
        let (begin, end) = match (is_terminal, &done.outcome) {
            (false, _) | (_, Outcome::Allowed) => ("", ""),
            (true, _) => ("\u{1b}[1;31m", "\u{1b}[0m"),
        };
        let seconds = format!("{:.1} s", done.took.as_secs_f64());
        writeln!(out, "{file:FILE$}  {node:NODE$}  {begin}{verdict:7}{end}  {seconds:>7}")?;
        if !reason.is_empty() {
            writeln!(out, "    {}", shortened(reason, 200))?;
        }
    }
    let count = |wanted: fn(&Outcome) -> bool| all.iter().filter(|done| wanted(&done.outcome)).count();
    let allowed = count(|outcome| matches!(outcome, Outcome::Allowed));
    let blocked = count(|outcome| matches!(outcome, Outcome::Blocked(_)));
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    writeln!(out, "\n{allowed} allowed, {blocked} blocked, {failed} failed")
}
