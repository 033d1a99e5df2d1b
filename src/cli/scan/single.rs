//! Scans each file in a session of its own, or resumes the session of a previous run.
//!
//! A file that fails gets a result that says so. The scan as a whole does not fail. It ends early
//! if the reader of the results has gone away.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use evenkeel_client::{Cluster, Error, FileScan, Report, ResumedSession, ScanEvent, Ticket};
use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use super::args::ScanArgs;
use super::content;
use super::files::{Content, ListedFile};
use super::journal::{Journal, PreviousProgress, PreviousRuns};
use super::output::Output;
use super::parallel::for_each_file;
use super::progress::ProgressBars;
use super::results::{CHANGED, FileResult, ScanVerdict};
use crate::signals::EndSignals;

/// Longest wait for a node that cancels a scan which took too long.
const CANCEL_TIME: Duration = Duration::from_secs(5);

/// Scans each file in a session of its own.
pub(super) async fn scan(
    args: &ScanArgs,
    cluster: Cluster,
    files: Vec<ListedFile>,
    (journal, previous): (Journal, PreviousRuns),
    bars: &ProgressBars,
    output: &mut Output,
    signals: &mut EndSignals,
) {
    let scanner = Arc::new(Scanner {
        cluster,
        bars: bars.clone(),
        journal,
        previous,
        is_recorded: args.resume.is_some(),
        hash_first: args.hash_first,
        sanitized: args.sanitized.clone(),
        started: Mutex::default(),
    });
    let work = |file: ListedFile| {
        let scanner = Arc::clone(&scanner);
        async move { scanner.scan(file).await }
    };
    let mut abandoned = Vec::new();
    for_each_file(files, args.concurrency(), work, pin!(signals.recv()), |file, start, result| {
        bars.count_file();
        let started = scanner.started().remove(&file.path);
        output.add_file(result.unwrap_or_else(|reason| {
            let failed = FileResult { duration: start.elapsed(), ..FileResult::failed(file.path, reason.to_string()) };
            let Some(StartedScan { node, data_id, ticket }) = started else { return failed };
            abandoned.push(ticket);
            FileResult { node: Some(node), data_id: Some(data_id), ..failed }
        }))
    })
    .await;
    // With a journal, the next run continues these scans.
    if args.resume.is_none() {
        let cancelling =
            stream::iter(&abandoned).for_each_concurrent(args.concurrency(), |ticket| scanner.cancel(ticket));
        // A second interrupt does not wait for the nodes.
        tokio::select! {
            () = cancelling => {}
            _ = signals.recv() => {}
        }
    }
}

/// A report, and the session that it is from.
type Reported = (Report, Option<Ticket>);

/// A scan that a node has started.
struct StartedScan {
    node: SocketAddr,
    data_id: String,
    ticket: Ticket,
}

/// What the scans of all files share.
struct Scanner {
    cluster: Cluster,
    bars: ProgressBars,
    journal: Journal,
    previous: PreviousRuns,
    /// The next run can continue what this one leaves.
    is_recorded: bool,
    /// Nodes are asked for the hash of a file before it is sent.
    hash_first: bool,
    /// The folder for sanitized copies.
    sanitized: Option<PathBuf>,
    /// The running scans, by path.
    started: Mutex<HashMap<PathBuf, StartedScan>>,
}

impl Scanner {
    /// A map stays valid after a panic, so lock poisoning is ignored.
    fn started(&self) -> MutexGuard<'_, HashMap<PathBuf, StartedScan>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cancels a scan whose result is not needed. Errors are ignored: there is nothing left to do.
    async fn cancel(&self, ticket: &Ticket) {
        if let Ok(ResumedSession::File(scan)) = self.cluster.resume(ticket) {
            let _ = scan.cancel().await;
        }
    }

    /// Records that a node has started the scan of a file.
    fn note_started(&self, file: &ListedFile, scan: &FileScan) {
        let started = StartedScan { node: scan.node(), data_id: scan.data_id().to_owned(), ticket: scan.ticket() };
        self.started().insert(file.path.clone(), started);
    }

    /// Scans a file unless a previous run has a verdict on it.
    async fn scan(&self, file: ListedFile) -> FileResult {
        let start = Instant::now();
        let (file, opened) = match file.open().await {
            Ok(opened) => opened,
            Err(error) => return FileResult::failed(file.path, error.to_string()),
        };
        let reported = match self.previous.progress_of(&file) {
            Some(PreviousProgress::Done(result)) => return FileResult { path: file.path, ..result.clone() },
            Some(PreviousProgress::Sent(ticket)) => match self.cluster.resume(ticket) {
                Ok(ResumedSession::File(scan)) => self.resume(&file, opened, &scan).await,
                _ => self.send(&file, opened).await,
            },
            None => match self.known(&opened).await {
                Some(known) => Ok(known),
                None => self.send(&file, opened).await,
            },
        };
        let result = match reported {
            Ok((report, scan)) if file.is_unchanged() => self.finish(&file, &report, scan).await,
            Ok((report, _)) => {
                self.journal.failed(&file, CHANGED);
                FileResult::changed(file.path, &report)
            }
            Err(error) => {
                self.give_up(&file, &error).await;
                FileResult::from_error(file.path, &error)
            }
        };
        FileResult { duration: start.elapsed(), ..result }
    }

    /// The result of a file with a report; saves the sanitized copy and records the verdict. Only
    /// an allowed file needs its copy: that another one has none does not change its verdict.
    async fn finish(&self, file: &ListedFile, report: &Report, scan: Option<Ticket>) -> FileResult {
        let mut result = FileResult::from_report(file.path.clone(), report);
        if let (Some(folder), true) = (&self.sanitized, result.verdict.is_allowed()) {
            match self.save_sanitized(file, report, scan, folder).await {
                Ok(sanitized) => result.sanitized = sanitized,
                Err(reason) => {
                    self.journal.failed(file, &reason);
                    let verdict = ScanVerdict::Failed(format!("the sanitized copy is missing: {reason}"));
                    return FileResult { verdict, ..result };
                }
            }
        }
        self.journal.done(file, &result);
        result
    }

    /// Gives up a file after an error. A slow scan continues at its node if it is in the journal,
    /// so that the next run finds its result; otherwise, it is cancelled.
    async fn give_up(&self, file: &ListedFile, error: &Error) {
        if !matches!(error, Error::ResultTimeout { .. }) {
            self.journal.failed(file, &error.to_string());
        } else if !self.is_recorded {
            let started = self.started().remove(&file.path);
            if let Some(StartedScan { ticket, .. }) = started {
                let _ = timeout(CANCEL_TIME, self.cancel(&ticket)).await;
            }
        }
    }

    /// The result that a node has for a file with the same hash. Errors are ignored: in that case,
    /// the file is sent.
    async fn known(&self, opened: &Content) -> Option<Reported> {
        if !self.hash_first {
            return None;
        }
        let hash = content::sha256(opened).await.ok()?;
        let (scan, report) = self.cluster.lookup_hash(&hash).await.ok()??;
        Some((report, Some(scan.ticket())))
    }

    /// Saves the sanitized copy of a file, if the node of its session has one.
    async fn save_sanitized(
        &self,
        file: &ListedFile,
        report: &Report,
        scan: Option<Ticket>,
        folder: &Path,
    ) -> Result<Option<PathBuf>, String> {
        let session = scan.map(|ticket| self.cluster.resume(&ticket)).transpose().map_err(|error| error.to_string())?;
        match session {
            Some(ResumedSession::File(scan)) => content::save_sanitized(&scan, report, folder, &file.name()).await,
            _ => Err("its session is not known".to_owned()),
        }
    }

    /// Waits for the session of a previous run; sends the file again if that session is lost.
    async fn resume(&self, file: &ListedFile, opened: Content, scan: &FileScan) -> Result<Reported, Error> {
        self.note_started(file, scan);
        let size = file.version.size;
        let bar = self.bars.add_file(&file.path, size, Arc::new(AtomicU64::new(size)));
        match scan.result_with_progress(|percent| bar.show_scanning(percent)).await {
            Err(error) if error.is_session_lost() => {
                drop(bar);
                self.send(file, opened).await
            }
            outcome => outcome.map(|report| (report, Some(scan.ticket()))),
        }
    }

    /// Sends a file and waits for its report.
    async fn send(&self, file: &ListedFile, opened: Content) -> Result<Reported, Error> {
        let source = opened.source(file.name());
        let mut source = source.map_err(|error| Error::SourceUnreadable { name: file.name(), error })?;
        let bar = self.bars.add_file(&file.path, file.version.size, source.bytes_sent());
        let mut ticket = None;
        let on_event = |event: ScanEvent<'_>| match event {
            ScanEvent::Started(scan) => {
                ticket = Some(scan.ticket());
                self.note_started(file, scan);
                self.journal.sent(file, &scan.ticket());
            }
            ScanEvent::Progress(percent) => bar.show_scanning(percent),
            ScanEvent::Lost(_) => {
                self.started().remove(&file.path);
                bar.show_sending();
            }
            // Events of later versions of the library are not shown.
            _ => {}
        };
        let report = self.cluster.scan_to_end_with_events(&mut source, on_event).await?;
        Ok((report, ticket))
    }
}
