//! The results of a scan, per file and for a batch, and their JSON.
//!
//! The scans create them, the output prints them, and the journal stores those of files.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use evenkeel_client::{BatchStatus, Error, Report, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The result of a file. The journal of `--resume` stores it in this form.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct FileResult {
    /// The path under which the file was named or found. Not stored: the journal has a path of its
    /// own.
    #[serde(skip)]
    pub(super) path: PathBuf,
    #[serde(flatten)]
    pub(super) verdict: ScanVerdict,
    /// The node; none if the file did not reach one.
    pub(super) node: Option<SocketAddr>,
    /// The identifier that the node gave to the file.
    pub(super) data_id: Option<String>,
    #[serde(rename = "seconds", with = "seconds")]
    pub(super) duration: Duration,
}

/// The scan verdict of a file or a batch.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "verdict", content = "reason", rename_all = "snake_case")]
pub(super) enum ScanVerdict {
    /// It may pass.
    Allowed,
    /// It may not pass; holds the reason.
    Blocked(String),
    /// The scan failed or did not finish; holds the reason.
    Failed(String),
}

/// The result of a batch as a whole.
#[derive(Clone, Debug)]
pub(super) struct BatchResult {
    pub(super) node: SocketAddr,
    pub(super) batch_id: String,
    pub(super) verdict: ScanVerdict,
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(duration.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl From<&Verdict> for ScanVerdict {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Allowed => Self::Allowed,
            Verdict::Blocked(reason) => Self::Blocked(reason.clone()),
        }
    }
}

impl ScanVerdict {
    /// The verdict as a word, and its reason, which is empty for an allowed file.
    pub(super) fn word_and_reason(&self) -> (&'static str, &str) {
        match self {
            Self::Allowed => ("allowed", ""),
            Self::Blocked(reason) => ("blocked", reason),
            Self::Failed(reason) => ("failed", reason),
        }
    }

    pub(super) fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed)
    }

    pub(super) fn is_blocked(&self) -> bool {
        matches!(self, Self::Blocked(_))
    }

    pub(super) fn is_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

impl FileResult {
    /// The result of a file with a report.
    pub(super) fn from_report(path: PathBuf, report: &Report) -> Self {
        let (node, data_id) = (Some(report.node), Some(report.data_id.clone()));
        Self { path, verdict: (&report.verdict).into(), node, data_id, duration: Duration::ZERO }
    }

    /// The result of a file that did not reach a node.
    pub(super) fn failed(path: PathBuf, reason: String) -> Self {
        Self { path, verdict: ScanVerdict::Failed(reason), node: None, data_id: None, duration: Duration::ZERO }
    }

    /// The result of a file whose session failed; has the node and the session of the error.
    pub(super) fn from_error(path: PathBuf, error: &Error) -> Self {
        let session = error.session();
        let (node, data_id) = (session.map(|session| session.node), session.and_then(|session| session.id.clone()));
        Self { node, data_id, ..Self::failed(path, error.to_string()) }
    }

    /// One line of JSON.
    pub(super) fn json(&self) -> String {
        let (verdict, reason) = self.verdict.word_and_reason();
        json!({
            "path": self.path.to_string_lossy(),
            "verdict": verdict,
            "reason": reason,
            "node": self.node,
            "data_id": self.data_id,
            "seconds": self.duration.as_secs_f64(),
        })
        .to_string()
    }
}

impl BatchResult {
    pub(super) fn new(node: SocketAddr, batch_id: &str, status: &BatchStatus) -> Self {
        let undecided = || ScanVerdict::Failed("the batch is closed without a verdict".to_owned());
        let verdict = status.verdict.as_ref().map_or_else(undecided, ScanVerdict::from);
        Self { node, batch_id: batch_id.to_owned(), verdict }
    }

    /// One line of JSON.
    pub(super) fn json(&self) -> String {
        let (verdict, reason) = self.verdict.word_and_reason();
        json!({ "batch_id": self.batch_id, "verdict": verdict, "reason": reason, "node": self.node }).to_string()
    }
}
