//! The results of a scan, per file and for a batch, and their JSON.
//!
//! The scans create them, the output prints them, and the journal stores those of files.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use evenkeel_client::{BatchStatus, Error, Report, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The reason for a file whose verdict is about content that it no longer has.
pub(super) const CHANGED: &str = "the file changed while it was scanned";

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
    /// What the node found; none without a report.
    #[serde(default)]
    pub(super) findings: Option<Findings>,
    /// Where the sanitized copy is; none without one.
    #[serde(default)]
    pub(super) sanitized: Option<PathBuf>,
    #[serde(rename = "seconds", with = "seconds")]
    pub(super) duration: Duration,
}

/// What the report of a node says in detail.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Findings {
    /// The overall result, for example `No Threat Detected`.
    result: String,
    /// The overall result as a number.
    result_code: Option<i64>,
    /// The names of the threats.
    threats: Vec<String>,
    /// The SHA-256 of the file in hexadecimal; empty if the node has not computed it.
    sha256: String,
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

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
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
        let findings = Findings {
            result: report.result.clone(),
            result_code: report.result_code,
            threats: report.threats.clone(),
            sha256: report.hashes.sha256.clone(),
        };
        Self {
            path,
            verdict: (&report.verdict).into(),
            node: Some(report.node),
            data_id: Some(report.data_id.clone()),
            findings: Some(findings),
            sanitized: None,
            duration: Duration::ZERO,
        }
    }

    /// The result of a file with a report about content that it no longer has.
    pub(super) fn changed(path: PathBuf, report: &Report) -> Self {
        Self { verdict: ScanVerdict::Failed(CHANGED.to_owned()), ..Self::from_report(path, report) }
    }

    /// The result of a file that did not reach a node.
    pub(super) fn failed(path: PathBuf, reason: String) -> Self {
        let verdict = ScanVerdict::Failed(reason);
        Self { path, verdict, node: None, data_id: None, findings: None, sanitized: None, duration: Duration::ZERO }
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
        let mut line = json!({
            "path": self.path.to_string_lossy(),
            "verdict": verdict,
            "reason": reason,
            "node": self.node,
            "data_id": self.data_id,
            "seconds": self.duration.as_secs_f64(),
        });
        if let Some(Findings { result, result_code, threats, sha256 }) = &self.findings {
            line["result"] = result.as_str().into();
            line["result_code"] = (*result_code).into();
            line["threats"] = threats.as_slice().into();
            line["sha256"] = sha256.as_str().into();
        }
        if let Some(sanitized) = &self.sanitized {
            line["sanitized"] = sanitized.to_string_lossy().into();
        }
        if self.path.to_str().is_none() {
            // Several such paths can look the same in `path`.
            line["path_hex"] = hex(self.path.as_os_str().as_encoded_bytes()).into();
        }
        line.to_string()
    }
}

impl BatchResult {
    pub(super) fn new(node: SocketAddr, batch_id: &str, status: &Result<BatchStatus, Error>) -> Self {
        let verdict = match status.as_ref().map(|status| &status.verdict) {
            Ok(Some(verdict)) => verdict.into(),
            Ok(None) => ScanVerdict::Failed("the batch is closed without a verdict".to_owned()),
            Err(error) => ScanVerdict::Failed(format!("the result of the batch cannot be read: {error}")),
        };
        Self { node, batch_id: batch_id.to_owned(), verdict }
    }

    /// One line of JSON.
    pub(super) fn json(&self) -> String {
        let (verdict, reason) = self.verdict.word_and_reason();
        json!({ "batch_id": self.batch_id, "verdict": verdict, "reason": reason, "node": self.node }).to_string()
    }
}
