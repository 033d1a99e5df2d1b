//! The sessions of a node: files, batches, and how far their scans are.
//!
//! A scan needs no task: its progress follows from its start and its duration. Other nodes do not
//! have these sessions, as with real nodes.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use axum::http::Uri;
use tokio::time::Instant;

use crate::rules::Rule;
use crate::submission::Submission;
use crate::upload::Upload;

/// Files and batches by identifier.
#[derive(Debug, Default)]
pub(crate) struct SessionStore {
    pub(crate) files: HashMap<String, File>,
    pub(crate) batches: HashMap<String, Batch>,
    /// Callbacks of files and batches.
    pub(crate) callbacks: HashMap<String, Callback>,
    /// Identifiers of files whose scan had not ended when they were last counted.
    unfinished: Vec<String>,
}

/// A file whose scan has started.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) submission: Submission,
    pub(crate) upload: Upload,
    pub(crate) uploaded: SystemTime,
    scan_start: Instant,
    scan_duration: Duration,
    /// When the scan was cancelled, after its start.
    cancelled_after: Option<Duration>,
}

/// A group of files with one result.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Identifiers of its files.
    pub(crate) files: Vec<String>,
    pub(crate) is_closed: bool,
    pub(crate) is_cancelled: bool,
    /// Applies to files that name no rule.
    pub(crate) rule: &'static Rule,
    pub(crate) user_agent: String,
    /// The header `user-data`.
    pub(crate) user_data: String,
    pub(crate) opened: SystemTime,
    /// The same time.
    pub(crate) start: Instant,
}

/// The callback of a file or a batch.
#[derive(Clone, Debug)]
pub(crate) struct Callback {
    pub(crate) url: Uri,
    /// Time and outcome of the latest attempt.
    pub(crate) latest: Option<(SystemTime, u16)>,
}

/// The result of a scan.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ScanResult {
    NoThreat,
    Infected,
    EncryptedArchive,
    Cancelled,
    InProgress,
}

impl ScanResult {
    /// Returns the number that Core nodes report as `scan_all_result_i`.
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::NoThreat => 0,
            Self::Infected => 1,
            Self::EncryptedArchive => 12,
            Self::Cancelled => 19,
            Self::InProgress => 255,
        }
    }

    /// Returns the text that Core nodes report as `scan_all_result_a`.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::NoThreat => "No Threat Detected",
            Self::Infected => "Infected",
            Self::EncryptedArchive => "Encrypted Archive",
            Self::Cancelled => "Cancelled",
            Self::InProgress => "In Progress",
        }
    }

    /// Returns the text that Core nodes report as `process_info.result`.
    pub(crate) fn process_result(self) -> &'static str {
        match self {
            Self::NoThreat => "Allowed",
            Self::Infected | Self::EncryptedArchive | Self::Cancelled => "Blocked",
            Self::InProgress => "Processing",
        }
    }

    /// Returns the text that Core nodes report as `process_info.blocked_reason`.
    pub(crate) fn blocked_reason(self) -> &'static str {
        if self.process_result() == "Blocked" { self.text() } else { "" }
    }
}

impl File {
    /// A file whose scan starts now.
    pub(crate) fn new(submission: Submission, upload: Upload, scan_duration: Duration) -> Self {
        let (uploaded, scan_start) = (SystemTime::now(), Instant::now());
        Self { submission, upload, uploaded, scan_start, scan_duration, cancelled_after: None }
    }

    /// How long the scan takes in all.
    pub(crate) fn total_time(&self) -> Duration {
        self.cancelled_after.unwrap_or(self.scan_duration)
    }

    /// Time until the scan ends.
    pub(crate) fn time_left(&self) -> Duration {
        self.total_time().saturating_sub(self.scan_start.elapsed())
    }

    /// The scan has ended.
    pub(crate) fn is_scanned(&self) -> bool {
        self.time_left().is_zero()
    }

    /// Progress in percent. It is 100 only when the scan has ended.
    pub(crate) fn progress(&self) -> u8 {
        let left = self.time_left();
        if left.is_zero() {
            return 100;
        }
        let elapsed = self.scan_duration.saturating_sub(left);
        (elapsed.as_micros() * 99 / self.scan_duration.as_micros().max(1)) as u8
    }

    /// The result at this moment.
    pub(crate) fn result(&self) -> ScanResult {
        if !self.is_scanned() {
            ScanResult::InProgress
        } else if self.cancelled_after.is_some() {
            ScanResult::Cancelled
        } else if self.submission.is_locked {
            ScanResult::EncryptedArchive
        } else if self.upload.is_infected {
            ScanResult::Infected
        } else {
            ScanResult::NoThreat
        }
    }

    /// The scan has ended and has made a sanitized copy.
    pub(crate) fn is_sanitized(&self) -> bool {
        self.submission.rule.sanitizes && self.result() == ScanResult::NoThreat
    }

    /// Cancels the scan. A scan that has ended keeps its result.
    pub(crate) fn cancel(&mut self) {
        if !self.is_scanned() {
            self.cancelled_after = Some(self.scan_start.elapsed());
        }
    }
}

impl SessionStore {
    /// Adds a file.
    pub(crate) fn add_file(&mut self, id: String, file: File) {
        self.unfinished.push(id.clone());
        self.files.insert(id, file);
    }

    /// Number of scans that have not ended. Scans that have ended are not looked at again, so a
    /// node with many files is as fast as a new one.
    pub(crate) fn scans_in_progress(&mut self) -> usize {
        let files = &self.files;
        self.unfinished.retain(|id| files.get(id).is_some_and(|file| !file.is_scanned()));
        self.unfinished.len()
    }

    /// The files of a batch.
    pub(crate) fn files_of<'s>(&'s self, batch: &'s Batch) -> impl Iterator<Item = (&'s String, &'s File)> {
        batch.files.iter().filter_map(|id| Some((id, self.files.get(id)?)))
    }

    /// The scans of all files of a batch have ended.
    pub(crate) fn is_scanned(&self, batch: &Batch) -> bool {
        self.files_of(batch).all(|(_, file)| file.is_scanned())
    }

    /// Time until the scan of a file, or those of all files of a batch, end. `None` if the node
    /// does not know the session.
    pub(crate) fn time_left(&self, id: &str) -> Option<Duration> {
        let of_batch = |batch| self.files_of(batch).map(|(_, file)| file.time_left()).max().unwrap_or_default();
        self.files.get(id).map(File::time_left).or_else(|| self.batches.get(id).map(of_batch))
    }

    /// Time from the opening of a batch to the end of its last scan.
    pub(crate) fn batch_time(&self, batch: &Batch) -> Duration {
        let ends = self.files_of(batch).map(|(_, file)| file.scan_start + file.total_time());
        ends.max().map(|end| end.saturating_duration_since(batch.start)).unwrap_or_default()
    }

    /// Cancels a batch, and the scans of its files that have not ended.
    pub(crate) fn cancel_batch(&mut self, id: &str) {
        let Some(batch) = self.batches.get_mut(id) else { return };
        (batch.is_cancelled, batch.is_closed) = (true, true);
        for file in &batch.files {
            if let Some(file) = self.files.get_mut(file) {
                file.cancel();
            }
        }
    }

    /// The latest upload with this MD5, SHA-1 or SHA-256, under this rule if one is given. Scans in
    /// progress count only if no scan of the same file has ended, and only if they are wanted.
    pub(crate) fn by_hash(&self, hash: &str, rule: Option<&str>, wants_unfinished: bool) -> Option<(&String, &File)> {
        let has_hash = |file: &File| {
            [&file.upload.md5, &file.upload.sha1, &file.upload.sha256].iter().any(|own| own.eq_ignore_ascii_case(hash))
        };
        let has_rule = |file: &File| rule.is_none_or(|rule| file.submission.rule.name == rule);
        let is_wanted = |file: &File| has_hash(file) && has_rule(file) && (wants_unfinished || file.is_scanned());
        let found = self.files.iter().filter(|(_, file)| is_wanted(file));
        found.max_by_key(|(_, file)| (file.is_scanned(), file.scan_start))
    }

    /// The worst result of the files of a batch. An open batch without files has no result yet.
    pub(crate) fn batch_result(&self, batch: &Batch) -> ScanResult {
        let has = |result| self.files_of(batch).any(|(_, file)| file.result() == result);
        if batch.is_cancelled {
            return ScanResult::Cancelled;
        }
        if batch.files.is_empty() && !batch.is_closed {
            return ScanResult::InProgress;
        }
        let from_worst =
            [ScanResult::InProgress, ScanResult::Infected, ScanResult::EncryptedArchive, ScanResult::Cancelled];
        from_worst.into_iter().find(|result| has(*result)).unwrap_or(ScanResult::NoThreat)
    }
}
