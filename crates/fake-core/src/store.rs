//! What a node knows of its sessions: files and batches. No other node knows them.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::upload::Upload;

/// The sessions of a node.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) files: HashMap<String, File>,
    pub(crate) batches: HashMap<String, Batch>,
}

/// A file that was sent.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) upload: Upload,
    pub(crate) rule: String,
    pub(crate) uploaded: SystemTime,
    began: Instant,
    takes: Duration,
    cancelled: bool,
}

/// A group of files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    pub(crate) files: Vec<String>,
    pub(crate) is_closed: bool,
    pub(crate) is_cancelled: bool,
}

/// Results of a scan: the number and the word that Core nodes have for each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    NoThreat,
    Infected,
    Cancelled,
    InProgress,
}

impl Outcome {
    pub(crate) fn number(self) -> u16 {
        match self {
            Self::NoThreat => 0,
            Self::Infected => 1,
            Self::Cancelled => 19,
            Self::InProgress => 255,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NoThreat => "No Threat Detected",
            Self::Infected => "Infected",
            Self::Cancelled => "Canceled",
            Self::InProgress => "In Progress",
        }
    }

    fn process(self) -> &'static str {
        match self {
            Self::NoThreat => "Allowed",
            Self::Infected | Self::Cancelled => "Blocked",
            Self::InProgress => "Processing",
        }
    }
}

impl File {
    /// A file whose scan begins now.
    pub(crate) fn new(name: String, rule: String, upload: Upload, takes: Duration) -> Self {
        let (uploaded, began) = (SystemTime::now(), Instant::now());
        Self { name, upload, rule, uploaded, began, takes, cancelled: false }
    }

    /// In percent, 100 only at the end.
    pub(crate) fn progress(&self) -> u8 {
        let elapsed = self.began.elapsed();
        if self.cancelled || elapsed >= self.takes {
            return 100;
        }
        (elapsed.as_micros() * 99 / self.takes.as_micros().max(1)) as u8
    }

    pub(crate) fn outcome(&self) -> Outcome {
        match self.progress() {
            100 if self.cancelled => Outcome::Cancelled,
            100 if self.upload.is_infected => Outcome::Infected,
            100 => Outcome::NoThreat,
            _ => Outcome::InProgress,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.progress() == 100
    }

    /// Ends the scan, unless it has ended.
    pub(crate) fn cancel(&mut self) {
        self.cancelled |= !self.is_done();
    }

    /// As `GET /file/{data_id}` shows it.
    pub(crate) fn shown(&self, id: &str) -> Value {
        let (outcome, progress) = (self.outcome(), self.progress());
        let reason = if outcome == Outcome::Infected { "Infected" } else { "" };
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
                "result": outcome.process(),
                "blocked_reason": reason,
                "profile": self.rule,
            },
            "scan_results": {
                "progress_percentage": progress,
                "scan_all_result_a": outcome.word(),
                "scan_all_result_i": outcome.number(),
                "scan_details": {},
            },
        })
    }
}

impl Store {
    /// Scans that have not ended.
    pub(crate) fn under_way(&self) -> usize {
        self.files.values().filter(|file| !file.is_done()).count()
    }

    /// Whether every file of a batch has been processed.
    pub(crate) fn is_processed(&self, batch: &Batch) -> bool {
        batch.files.iter().all(|id| self.files.get(id).is_none_or(File::is_done))
    }

    /// As `GET /file/batch/{id}` shows it.
    pub(crate) fn shown_batch(&self, id: &str, batch: &Batch) -> Value {
        let files = batch.files.iter().filter_map(|id| Some((id, self.files.get(id)?)));
        let shown: Vec<Value> = files
            .map(|(id, file)| {
                json!({
                    "data_id": id,
                    "display_name": file.name,
                    "progress_percentage": file.progress(),
                    "scan_all_result_i": file.outcome().number(),
                })
            })
            .collect();
        let outcome = self.outcome_of(batch);
        json!({
            "batch_id": id,
            "is_closed": batch.is_closed,
            "batch_files": { "batch_count": shown.len(), "files_in_batch": shown },
            "process_info": { "result": outcome.process() },
            "scan_results": { "scan_all_result_a": outcome.word(), "scan_all_result_i": outcome.number() },
        })
    }

    /// The worst of its files.
    pub(crate) fn outcome_of(&self, batch: &Batch) -> Outcome {
        let outcomes = || batch.files.iter().filter_map(|id| Some(self.files.get(id)?.outcome()));
        if batch.is_cancelled {
            Outcome::Cancelled
        } else if outcomes().any(|outcome| outcome == Outcome::InProgress) {
            Outcome::InProgress
        } else if outcomes().any(|outcome| outcome == Outcome::Infected) {
            Outcome::Infected
        } else {
            Outcome::NoThreat
        }
    }
}
