//! What came of each file: a table for people, lines of JSON for programs.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::terminal_text::{clipped, shortened};
use evenkeel_client::{BatchStatus, Error, Report, Verdict};

/// A file that was scanned, or was to be.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Done {
    /// As it was named; not noted, since it is the file's own.
    #[serde(skip)]
    pub(super) path: PathBuf,
    #[serde(flatten)]
    pub(super) outcome: Outcome,
    /// The node, and its name for the file, as far as there were any.
    pub(super) node: Option<SocketAddr>,
    pub(super) data_id: Option<String>,
    #[serde(rename = "seconds", with = "seconds")]
    pub(super) took: Duration,
}

/// What came of it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "verdict", content = "reason", rename_all = "snake_case")]
pub(super) enum Outcome {
    /// It may pass.
    Allowed,
    /// It may not, and why.
    Blocked(String),
    /// Nobody knows, and why.
    Failed(String),
}

/// A batch as a whole.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) node: SocketAddr,
    pub(super) batch_id: String,
    pub(super) outcome: Outcome,
}

/// All that came of it.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) files: Vec<Done>,
    pub(super) batch: Option<Batch>,
    /// What else went wrong.
    pub(super) trouble: Option<String>,
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(took.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl From<&Verdict> for Outcome {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Allowed => Self::Allowed,
            Verdict::Blocked(why) => Self::Blocked(why.clone()),
        }
    }
}

impl Outcome {
    fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Allowed => ("allowed", ""),
            Self::Blocked(why) => ("blocked", why),
            Self::Failed(why) => ("failed", why),
        }
    }

    pub(super) fn is_blocked(&self) -> bool {
        matches!(self, Self::Blocked(_))
    }

    pub(super) fn is_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

impl Done {
    pub(super) fn reported(path: PathBuf, report: &Report) -> Self {
        let (node, data_id) = (Some(report.node), Some(report.data_id.clone()));
        Self { path, outcome: (&report.verdict).into(), node, data_id, took: Duration::ZERO }
    }

    pub(super) fn failed(path: PathBuf, why: String) -> Self {
        Self { path, outcome: Outcome::Failed(why), node: None, data_id: None, took: Duration::ZERO }
    }

    pub(super) fn failed_with(path: PathBuf, error: &Error) -> Self {
        let session = error.session();
        let (node, data_id) = (session.map(|session| session.node), session.and_then(|session| session.id.clone()));
        Self { node, data_id, ..Self::failed(path, error.to_string()) }
    }

    /// As a line of JSON.
    pub(super) fn json(&self) -> String {
        let (verdict, reason) = self.outcome.words();
        json!({
            "path": self.path.to_string_lossy(),
            "verdict": verdict,
            "reason": reason,
            "node": self.node,
            "data_id": self.data_id,
            "seconds": self.took.as_secs_f64(),
        })
        .to_string()
    }
}

impl Batch {
    pub(super) fn new(node: SocketAddr, results: &BatchStatus, batch_id: &str) -> Self {
        let undecided = || Outcome::Failed("it is closed and has no verdict".to_owned());
        let outcome = results.verdict.as_ref().map_or_else(undecided, Outcome::from);
        Self { node, batch_id: batch_id.to_owned(), outcome }
    }

    /// As a line of JSON.
    pub(super) fn json(&self) -> String {
        let (verdict, reason) = self.outcome.words();
        json!({ "batch_id": self.batch_id, "verdict": verdict, "reason": reason, "node": self.node }).to_string()
    }
}

/// Columns of the table: what is left of 80 after node, verdict and time is the file's.
const FILE: usize = 36;
const NODE: usize = 21;

impl Summary {
    /// Everything that has a verdict or should have one.
    pub(super) fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.files.iter().map(|done| &done.outcome).chain(self.batch.as_ref().map(|batch| &batch.outcome))
    }

    /// Shows it as a table, with colours on a terminal that both dark and light ones have.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn show(&self) -> io::Result<()> {
        let is_plain =
            std::env::var_os("NO_COLOR").is_some() || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_coloured = io::stdout().is_terminal() && !is_plain;
        let mut out = io::BufWriter::new(io::stdout().lock());
        writeln!(out, "{}  {:NODE$}  {:7}  {:>7}", shortened("FILE", FILE), "NODE", "VERDICT", "TIME")?;
        for done in &self.files {
            let (verdict, reason) = done.outcome.words();
            let node = done.node.map_or_else(|| "-".to_owned(), |node| node.to_string());
            let file = shortened(&done.path.display().to_string(), FILE);
            let (begin, end) = match (is_coloured, &done.outcome) {
                (false, _) | (_, Outcome::Allowed) => ("", ""),
                (true, _) => ("\u{1b}[1;31m", "\u{1b}[0m"),
            };
            let seconds = format!("{:.1} s", done.took.as_secs_f64());
            writeln!(out, "{file}  {node:NODE$}  {begin}{verdict:7}{end}  {seconds:>7}")?;
            if !reason.is_empty() {
                writeln!(out, "    {}", clipped(reason))?;
            }
        }
        let count = |wanted: fn(&Outcome) -> bool| self.files.iter().filter(|done| wanted(&done.outcome)).count();
        let allowed = count(|outcome| *outcome == Outcome::Allowed);
        let (blocked, failed) = (count(Outcome::is_blocked), count(Outcome::is_failed));
        writeln!(out, "\n{allowed} allowed, {blocked} blocked, {failed} failed")?;
        if let Some(Batch { node, batch_id, outcome }) = &self.batch {
            let (verdict, reason) = outcome.words();
            let reason = if reason.is_empty() { String::new() } else { format!(": {}", clipped(reason)) };
            writeln!(out, "batch {batch_id} at {node}: {verdict}{reason}")?;
        }
        out.flush()
    }
}
