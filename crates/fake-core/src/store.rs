//! The sessions of a node: files, batches, and how far their scans are.
//!
//! A scan needs no task: its progress follows from its start and its duration. Other nodes do not
//! have these sessions, as with real nodes.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::upload::Upload;

/// Files and batches by identifier.
#[derive(Debug, Default)]
pub(crate) struct SessionStore {
    pub(crate) files: HashMap<String, File>,
    pub(crate) batches: HashMap<String, Batch>,
}

/// A file whose scan has started.
#[derive(Clone, Debug)]
pub(crate) struct File {
    name: String,
    rule: String,
    upload: Upload,
    uploaded: SystemTime,
    scan_start: Instant,
    scan_duration: Duration,
    is_cancelled: bool,
}

/// A group of files with one result.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    /// Identifiers of its files.
    pub(crate) files: Vec<String>,
    pub(crate) is_closed: bool,
    pub(crate) is_cancelled: bool,
}

/// The result of a scan.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ScanResult {
    NoThreat,
    Infected,
    Cancelled,
    InProgress,
}

impl ScanResult {
    /// Returns the number that Core nodes report as `scan_all_result_i`.
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::NoThreat => 0,
            Self::Infected => 1,
            Self::Cancelled => 19,
            Self::InProgress => 255,
        }
    }

    /// `scan_all_result_a` of Core nodes.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::NoThreat => "No Threat Detected",
            Self::Infected => "Infected",
            Self::Cancelled => "Canceled",
            Self::InProgress => "In Progress",
        }
    }

    /// `process_info.result` of Core nodes.
    fn process_result(self) -> &'static str {
        match self {
            Self::NoThreat => "Allowed",
            Self::Infected | Self::Cancelled => "Blocked",
            Self::InProgress => "Processing",
        }
    }
}

impl File {
    /// A file whose scan starts now.
    pub(crate) fn new(name: String, rule: String, upload: Upload, scan_duration: Duration) -> Self {
        let (uploaded, scan_start) = (SystemTime::now(), Instant::now());
        Self { name, rule, upload, uploaded, scan_start, scan_duration, is_cancelled: false }
    }

    /// Progress in percent. It is 100 only when the scan has ended.
    pub(crate) fn progress(&self) -> u8 {
        let elapsed = self.scan_start.elapsed();
        if self.is_cancelled || elapsed >= self.scan_duration {
            return 100;
        }
        (elapsed.as_micros() * 99 / self.scan_duration.as_micros().max(1)) as u8
    }

    /// The result at this moment.
    pub(crate) fn result(&self) -> ScanResult {
        match self.progress() {
            100 if self.is_cancelled => ScanResult::Cancelled,
            100 if self.upload.is_infected => ScanResult::Infected,
            100 => ScanResult::NoThreat,
            _ => ScanResult::InProgress,
        }
    }

    /// The scan has ended.
    pub(crate) fn is_scanned(&self) -> bool {
        self.progress() == 100
    }

    /// Cancels the scan. A scan that has ended keeps its result.
    pub(crate) fn cancel(&mut self) {
        self.is_cancelled |= !self.is_scanned();
    }

    /// The body of `GET /file/{data_id}`.
    pub(crate) fn to_json(&self, id: &str) -> Value {
        let (result, progress) = (self.result(), self.progress());
        let reason = if result == ScanResult::Infected { "Infected" } else { "" };
        let uploaded = humantime::format_rfc3339_millis(self.uploaded).to_string();
        json!({
            "data_id": id,
            "file_info": {
                "display_name": self.name,
                "file_size": self.upload.size,
                "md5": self.upload.md5,
                "sha1": self.upload.sha1,
                "sha256": self.upload.sha256,
                "upload_timestamp": uploaded,
            },
            "process_info": {
                "progress_percentage": progress,
                "result": result.process_result(),
                "blocked_reason": reason,
                "profile": self.rule,
            },
            "scan_results": {
                "progress_percentage": progress,
                "scan_all_result_a": result.text(),
                "scan_all_result_i": result.code(),
                "scan_details": {},
            },
        })
    }
}

impl SessionStore {
    /// Number of scans that have not ended.
    pub(crate) fn scans_in_progress(&self) -> usize {
        self.files.values().filter(|file| !file.is_scanned()).count()
    }

    /// The scans of all files of a batch have ended.
    pub(crate) fn is_scanned(&self, batch: &Batch) -> bool {
        batch.files.iter().all(|id| self.files.get(id).is_none_or(File::is_scanned))
    }

    /// The body of `GET /file/batch/{id}`.
    pub(crate) fn batch_to_json(&self, id: &str, batch: &Batch) -> Value {
        let files = batch.files.iter().filter_map(|id| Some((id, self.files.get(id)?)));
        let files: Vec<Value> = files
            .map(|(id, file)| {
                json!({
                    "data_id": id,
                    "display_name": file.name,
                    "progress_percentage": file.progress(),
                    "scan_all_result_i": file.result().code(),
                })
            })
            .collect();
        let result = self.batch_result(batch);
        json!({
            "batch_id": id,
            "is_closed": batch.is_closed,
            "batch_files": { "batch_count": files.len(), "files_in_batch": files },
            "process_info": { "result": result.process_result() },
            "scan_results": { "scan_all_result_a": result.text(), "scan_all_result_i": result.code() },
        })
    }

    /// The worst result of the files of a batch.
    pub(crate) fn batch_result(&self, batch: &Batch) -> ScanResult {
        let results = || batch.files.iter().filter_map(|id| Some(self.files.get(id)?.result()));
        if batch.is_cancelled {
            ScanResult::Cancelled
        } else if results().any(|result| result == ScanResult::InProgress) {
            ScanResult::InProgress
        } else if results().any(|result| result == ScanResult::Infected) {
            ScanResult::Infected
        } else {
            ScanResult::NoThreat
        }
    }
}
