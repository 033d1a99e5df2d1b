//! Scans all files in one batch: sends them, closes the batch, and reads the result of each file.
//!
//! ```text
//!  open, or resume ──► fill (batch_files) ──► close ──► results
//!    ▲                                          │
//!    └──── the session is lost: `--resubmit` ───┤
//!                                               └─► interrupted or refused: cancel
//! ```
//!
//! A file that cannot be sent gets a result that says so; the others stay in the batch. If the
//! batch cannot be closed, or on an interrupt, every file gets the verdict `failed`. The batch is
//! then cancelled; after an interrupt or `--timeout`, with `--resume`, it stays open for the next
//! run.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use evenkeel_client::{BatchStatus, ClosedBatch, Cluster, Error, OpenBatch, ResumedSession, Ticket};

use super::args::ScanArgs;
use super::batch_files::{BatchFiles, Filled, SentFile};
use super::batch_results::{add_results, file_results, save_signed_result};
use super::files::ListedFile;
use super::journal::{Journal, PreviousRuns};
use super::output::Output;
use super::parallel::Unfinished;
use super::progress::ProgressBars;
use super::results::{BatchResult, FileResult};
use crate::signals::EndSignals;

/// Result code of a batch that was cancelled.
const CANCELLED: i64 = 19;

/// How an attempt to scan the batch ended.
enum End {
    /// The batch is closed. Its files have results even if its own cannot be read.
    Closed(ClosedBatch, Result<BatchStatus, Error>),
    /// No node accepted the batch. Each file has a result that says why.
    NotOpened,
    /// The batch is not closed.
    Unclosed { ticket: Ticket, why: WhyUnclosed, reason: String },
}

/// Why a batch is not closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum WhyUnclosed {
    /// Its node is gone, or no longer knows it.
    Lost,
    /// A signal arrived.
    Interrupted,
    /// The node needs too long for its files.
    TimedOut,
    /// The node refuses to close it.
    Refused,
}

impl From<&Error> for WhyUnclosed {
    fn from(error: &Error) -> Self {
        match error {
            error if error.is_session_lost() => Self::Lost,
            Error::ResultTimeout { .. } => Self::TimedOut,
            _ => Self::Refused,
        }
    }
}

/// Scans all files in one batch.
pub(super) async fn scan(
    args: &ScanArgs,
    cluster: Cluster,
    files: Vec<ListedFile>,
    (journal, previous): (Journal, PreviousRuns),
    bars: &ProgressBars,
    output: &mut Output,
    signals: &mut EndSignals,
) {
    if files.is_empty() {
        return;
    }
    let mut scan = BatchScan { args, cluster, bars, journal, previous };
    let mut resubmissions = args.resubmit;
    loop {
        let (sent, end) = scan.attempt(files.clone(), resubmissions > 0, signals).await;
        match end {
            End::Unclosed { why: WhyUnclosed::Lost, ticket, .. } if resubmissions > 0 => {
                resubmissions -= 1;
                bars.start_over();
                // If the node has returned, it need not go on scanning. Nothing waits for it.
                let cluster = scan.cluster.clone();
                tokio::spawn(async move { cancel(&cluster, &ticket).await });
            }
            end => return scan.report(sent, end, output, signals).await,
        }
    }
}

/// The scan of one batch.
struct BatchScan<'a> {
    args: &'a ScanArgs,
    cluster: Cluster,
    bars: &'a ProgressBars,
    journal: Journal,
    /// The batch of a previous run, until it has been tried.
    previous: PreviousRuns,
}

impl BatchScan<'_> {
    /// Opens a batch, or resumes the batch of a previous run, and sends all files; returns the
    /// files and how the attempt ended. A batch whose node was gone while files were sent is lost
    /// if `may_resubmit`; otherwise, those of its files that the node has count.
    async fn attempt(
        &mut self,
        files: Vec<ListedFile>,
        may_resubmit: bool,
        signals: &mut EndSignals,
    ) -> (Vec<SentFile>, End) {
        let start = Instant::now();
        let previous = std::mem::take(&mut self.previous);
        let open = async {
            match self.resume(&previous, &files).await {
                Some(resumed) => Ok(resumed),
                None => self.cluster.open_batch().await.map(|batch| {
                    self.journal.batch_opened(&batch.ticket());
                    (batch, HashMap::new())
                }),
            }
        };
        let opened = tokio::select! {
            opened = open => opened.map_err(|error| FileResult::from_error(PathBuf::new(), &error)),
            _ = signals.recv() => Err(FileResult::failed(PathBuf::new(), Unfinished::Interrupted.to_string())),
        };
        let (batch, in_batch) = match opened {
            Ok(opened) => opened,
            Err(result) => {
                let not_sent = |file: ListedFile| SentFile::failed(file, start, result.clone());
                return (files.into_iter().map(not_sent).collect(), End::NotOpened);
            }
        };
        let ticket = batch.ticket();
        let filling = BatchFiles::new(batch, self.bars.clone(), &self.journal, in_batch);
        let Filled { sent, batch, lost, is_interrupted } =
            filling.send_all(files, self.args.concurrency(), signals).await;
        let unclosed = |why, reason: String| End::Unclosed { ticket: ticket.clone(), why, reason };
        let interrupted = || unclosed(WhyUnclosed::Interrupted, Unfinished::Interrupted.to_string());
        let end = match (batch, lost) {
            _ if is_interrupted => interrupted(),
            (_, Some(reason)) if may_resubmit => unclosed(WhyUnclosed::Lost, reason),
            (Some(batch), _) => tokio::select! {
                closed = close(batch) => match closed {
                    Ok((closed, status)) => End::Closed(closed, status),
                    Err(error) => unclosed((&error).into(), error.to_string()),
                },
                _ = signals.recv() => interrupted(),
            },
            (None, _) => interrupted(),
        };
        (sent, end)
    }

    /// The batch of the previous run, with the `data_id` of each file in it, by path. None if the
    /// batch cannot be continued: its node is gone, it was cancelled, or a file in the batch has
    /// changed since it was sent.
    async fn resume(
        &self,
        previous: &PreviousRuns,
        files: &[ListedFile],
    ) -> Option<(OpenBatch, HashMap<PathBuf, String>)> {
        let Ok(ResumedSession::OpenBatch(batch)) = self.cluster.resume(previous.batch()?) else { return None };
        let status = batch.status().await.ok()?;
        let in_batch: HashMap<_, _> = files
            .iter()
            .filter_map(|file| Some((file.path.clone(), previous.data_id_in_batch(file)?.to_owned())))
            .collect();
        let is_listed = |id: &String| status.files.iter().any(|file| file.data_id == *id);
        let is_whole = in_batch.len() == previous.files_in_batch() && in_batch.values().all(is_listed);
        let is_complete = in_batch.len() == files.len();
        let mut codes = status.files.iter().map(|file| file.result_code).chain([status.result_code]);
        let is_cancelled = status.is_closed && codes.any(|code| code == Some(CANCELLED));
        if is_whole && !is_cancelled && (!status.is_closed || is_complete) {
            return Some((batch, in_batch));
        }
        // Its result would be about files that have changed or are no longer scanned.
        if !status.is_closed {
            let _ = batch.cancel().await;
        }
        None
    }

    /// Adds the results of all files and of the batch.
    async fn report(&self, sent: Vec<SentFile>, end: End, output: &mut Output, signals: &mut EndSignals) {
        match end {
            End::Closed(closed, status) => {
                let results = file_results(&closed, &sent, self.args.concurrency(), signals.recv()).await;
                let interrupted = |path| FileResult::failed(path, Unfinished::Interrupted.to_string());
                add_results(sent, output, |path, id| results.get(id).cloned().unwrap_or_else(|| interrupted(path)));
                output.add_batch(BatchResult::new(closed.node(), closed.batch_id(), &status));
                save_signed_result(&closed, self.args, output).await;
            }
            End::NotOpened => add_results(sent, output, |path, _| FileResult::failed(path, String::new())),
            End::Unclosed { ticket, why, reason } => {
                let can_continue = matches!(why, WhyUnclosed::Interrupted | WhyUnclosed::TimedOut);
                if !can_continue || self.args.resume.is_none() {
                    self.journal.batch_cancelled();
                    // A second interrupt does not wait for the node.
                    tokio::select! {
                        () = cancel(&self.cluster, &ticket) => {}
                        _ = signals.recv() => {}
                    }
                }
                add_results(sent, output, |path, data_id| FileResult {
                    node: Some(ticket.node()),
                    data_id: Some(data_id.to_owned()),
                    ..FileResult::failed(path, reason.clone())
                });
            }
        }
    }
}

/// Closes the batch and reads its status.
async fn close(batch: OpenBatch) -> Result<(ClosedBatch, Result<BatchStatus, Error>), Error> {
    let closed = batch.close().await?;
    let status = closed.results().await;
    Ok((closed, status))
}

/// Cancels a batch that will not be closed, so that its node does not go on scanning. Errors are
/// ignored, because the caller no longer needs the batch.
async fn cancel(cluster: &Cluster, ticket: &Ticket) {
    if let Ok(ResumedSession::OpenBatch(batch)) = cluster.resume(ticket) {
        let _ = batch.cancel().await;
    }
}
