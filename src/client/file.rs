//! A single file: sent, asked about, done.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::Value;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::error::Error;
use super::pin::Pin;
use super::source::Source;
use super::ticket::{Kind, Ticket};

/// First wait between two questions, and the longest.
pub(super) const POLLS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A file whose scan has begun at one node.
#[derive(Debug)]
pub struct FileScan {
    pin: Pin,
    data_id: String,
}

/// How far a scan is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// In percent.
    pub percent: u8,
    /// The result, once there is one.
    pub report: Option<Report>,
}

/// The result of a scan.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The node that found it.
    pub node: SocketAddr,
    /// Its name for the file.
    pub data_id: String,
    /// The file's own name.
    pub name: String,
    /// Whether it may pass.
    pub verdict: Verdict,
    /// What was found, in the node's words: `No Threat Detected`.
    pub found: String,
    /// The same as a number: 0 no threat, 1 infected, 2 suspicious, 3 failed, 10 not scanned, 19 cancelled.
    pub code: i64,
    /// All that the node says.
    pub json: Value,
}

/// Whether something may pass.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It may.
    Allowed,
    /// It may not, and why.
    Blocked(String),
}

impl FileScan {
    pub(super) fn new(pin: Pin, data_id: String) -> Self {
        Self { pin, data_id }
    }

    /// Headers of an upload.
    pub(super) fn headers(source: &Source) -> Vec<(&'static str, HeaderValue)> {
        // Names that cannot stand in a header are percent-encoded.
        let name: String = source.name().bytes().map(header_char).collect();
        HeaderValue::from_str(&name).map(|name| vec![("filename", name)]).unwrap_or_default()
    }

    /// The node.
    pub fn node(&self) -> SocketAddr {
        self.pin.node()
    }

    /// The node's name for the file.
    pub fn data_id(&self) -> &str {
        &self.data_id
    }

    /// What another process needs to go on.
    pub fn ticket(&self) -> Ticket {
        Ticket::of(Kind::File, &self.pin, &self.data_id)
    }

    /// How far it is.
    ///
    /// # Errors
    /// The node is gone, or does not know the file.
    pub async fn progress(&self) -> Result<Progress, Error> {
        let json = self.pin.ask(Method::GET, &format!("/file/{}", self.data_id), &self.data_id).await?;
        Ok(progress_of(&self.pin, &self.data_id, json))
    }

    /// Waits for the result; it is asked for seldomer and seldomer.
    ///
    /// # Errors
    /// The node is gone, does not know the file, or has no result in time.
    pub async fn result(&self) -> Result<Report, Error> {
        self.result_watched(|_| {}).await
    }

    /// The same, with a look at how far it is whenever that is known.
    ///
    /// # Errors
    /// As of [`result`](Self::result).
    pub async fn result_watched(&self, mut watch: impl FnMut(u8)) -> Result<Report, Error> {
        let after = self.pin.options().result_timeout;
        let until = Instant::now() + after;
        let mut polls = Backoff::new(POLLS.0, POLLS.1);
        loop {
            let Progress { percent, report } = self.progress().await?;
            watch(percent);
            if let Some(report) = report {
                return Ok(report);
            }
            let wait = polls.next();
            if Instant::now() + wait >= until {
                return Err(Error::TooLong { at: self.pin.at(Some(&self.data_id)), after });
            }
            tokio::time::sleep(wait).await;
        }
    }
}

/// A byte as a header may hold it.
fn header_char(byte: u8) -> String {
    if byte.is_ascii_graphic() && byte != b'%' || byte == b' ' {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// Reads what a node says of a file.
fn progress_of(pin: &Pin, data_id: &str, json: Value) -> Progress {
    let text = |path: &str| json.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |path: &str| json.pointer(path).and_then(Value::as_i64);
    let percents = ["/process_info/progress_percentage", "/scan_results/progress_percentage"].map(number);
    let percent = percents.into_iter().flatten().min().unwrap_or(0).clamp(0, 100) as u8;
    let result = text("/process_info/result");
    let verdict = match result.as_str() {
        "Allowed" => Some(Verdict::Allowed),
        "Processing" | "" => None,
        _ => {
            let reason = text("/process_info/blocked_reason");
            Some(Verdict::Blocked(if reason.is_empty() { result } else { reason }))
        }
    };
    let report = verdict.filter(|_| percent == 100).map(|verdict| Report {
        node: pin.node(),
        data_id: data_id.to_owned(),
        name: text("/file_info/display_name"),
        verdict,
        found: text("/scan_results/scan_all_result_a"),
        code: number("/scan_results/scan_all_result_i").unwrap_or(-1),
        json: json.clone(),
    });
    Progress { percent, report }
}
