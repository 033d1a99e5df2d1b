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
//! then cancelled; after an interrupt with `--resume`, it stays open for the next run. The scan as
//! a whole fails if results cannot be written.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Instant;

use anyhow::Context;
use evenkeel_client::{BatchStatus, CloseError, ClosedBatch, Cluster, Error, OpenBatch, ResumedSession, Ticket};
use futures_util::{StreamExt, stream};

use super::args::ScanArgs;
use super::batch_files::{BatchFiles, SentFile};
use super::files::ListedFile;
use super::journal::{Journal, PreviousRuns};
use super::output::Output;
use super::parallel::Unfinished;
use super::progress::ProgressBars;
use super::results::{BatchResult, FileResult};
use crate::signals::EndSignals;

/// How an attempt to scan the batch ended.
enum End {
    /// The batch is closed.
    Closed(ClosedBatch, BatchStatus),
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
    /// The node refuses to close it, or needs too long.
    Refused,
}

/// Scans all files in one batch.
///
/// # Errors
/// The journal of `--resume` cannot be used, or results cannot be written.
pub(super) async fn scan(
    args: &ScanArgs,
    cluster: Cluster,
    files: Vec<ListedFile>,
    bars: &ProgressBars,
    output: &mut Output,
) -> anyhow::Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let (journal, previous) = Journal::open(args.resume.as_deref(), &args.cluster)?;
    let mut signals = EndSignals::catch()?;
    let mut scan = BatchScan { args, cluster, bars, journal, previous };
    let mut resubmissions = args.resubmit;
    loop {
        let (sent, end) = scan.attempt(files.clone(), &mut signals).await?;
        match end {
            End::Unclosed { why: WhyUnclosed::Lost, .. } if resubmissions > 0 => {
                resubmissions -= 1;
                bars.start_over();
            }
            end => return scan.report(sent, end, output, &mut signals).await,
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
    /// files and how the attempt ended.
    async fn attempt(
        &mut self,
        files: Vec<ListedFile>,
        signals: &mut EndSignals,
    ) -> anyhow::Result<(Vec<SentFile>, End)> {
        let start = Instant::now();
        let previous = std::mem::take(&mut self.previous);
        let open = async {
            match self.resume(&previous, &files).await {
                Some(resumed) => Ok(resumed),
                None => self.cluster.open_batch().await.map(|batch| (batch, HashMap::new())),
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
                return Ok((files.into_iter().map(not_sent).collect(), End::NotOpened));
            }
        };
        let ticket = batch.ticket();
        self.journal.batch_opened(&ticket);
        let filling = BatchFiles::new(batch, self.bars.clone(), &self.journal, in_batch);
        let (sent, batch, is_interrupted) = filling.send_all(files, self.args.concurrency(), signals).await?;
        let unclosed = |why, reason: String| End::Unclosed { ticket: ticket.clone(), why, reason };
        let interrupted = || unclosed(WhyUnclosed::Interrupted, Unfinished::Interrupted.to_string());
        let end = match batch {
            Some(batch) if !is_interrupted => tokio::select! {
                closed = close(batch) => match closed {
                    Ok((closed, status)) => End::Closed(closed, status),
                    Err(error) if error.is_session_lost() => unclosed(WhyUnclosed::Lost, error.to_string()),
                    Err(error) => unclosed(WhyUnclosed::Refused, error.to_string()),
                },
                _ = signals.recv() => interrupted(),
            },
            _ => interrupted(),
        };
        Ok((sent, end))
    }

    /// The batch of the previous run, with the `data_id` of each file in it, by path. None if the
    /// batch cannot be continued: its node is gone, or a file in the batch has changed since it was
    /// sent.
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
        if is_whole && (!status.is_closed || is_complete) {
            return Some((batch, in_batch));
        }
        // Its result would be about files that have changed or are no longer scanned.
        if !status.is_closed {
            let _ = batch.cancel().await;
        }
        None
    }

    /// Adds the results of all files and of the batch.
    async fn report(
        &self,
        sent: Vec<SentFile>,
        end: End,
        output: &mut Output,
        signals: &mut EndSignals,
    ) -> anyhow::Result<()> {
        match end {
            End::Closed(closed, status) => {
                let results = file_results(&closed, &sent, self.args.concurrency(), signals.recv()).await;
                let interrupted = |path| FileResult::failed(path, Unfinished::Interrupted.to_string());
                add_results(sent, output, |path, id| results.get(id).cloned().unwrap_or_else(|| interrupted(path)))?;
                output.add_batch(BatchResult::new(closed.node(), closed.batch_id(), &status))?;
                save_signed_result(&closed, self.args, output).await;
                Ok(())
            }
            End::NotOpened => add_results(sent, output, |path, _| FileResult::failed(path, String::new())),
            End::Unclosed { ticket, why, reason } => {
                if why != WhyUnclosed::Interrupted || self.args.resume.is_none() {
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
                })
            }
        }
    }
}

/// Closes the batch and reads its status.
async fn close(batch: OpenBatch) -> Result<(ClosedBatch, BatchStatus), Error> {
    let closed = batch.close().await.map_err(|CloseError { error, .. }| error)?;
    let status = closed.results().await?;
    Ok((closed, status))
}

/// Cancels a batch that will not be closed, so that its node does not go on scanning. Errors are
/// ignored, because the caller no longer needs the batch.
async fn cancel(cluster: &Cluster, ticket: &Ticket) {
    if let Ok(ResumedSession::OpenBatch(batch)) = cluster.resume(ticket) {
        let _ = batch.cancel().await;
    }
}

/// The results of the files in the batch, by `data_id`; after an interrupt, those that have
/// arrived.
async fn file_results(
    closed: &ClosedBatch,
    sent: &[SentFile],
    concurrency: usize,
    interrupt: impl Future,
) -> HashMap<String, FileResult> {
    let in_batch = sent.iter().filter_map(|sent| Some((&sent.file, sent.data_id.as_ref().ok()?)));
    let queries =
        in_batch.map(|(file, data_id)| async move { (data_id.clone(), file_result(closed, file, data_id).await) });
    let mut queries = stream::iter(queries).buffer_unordered(concurrency);
    let mut interrupt = pin!(interrupt);
    let mut results = HashMap::new();
    loop {
        tokio::select! {
            next = queries.next() => match next {
                Some((data_id, result)) => drop(results.insert(data_id, result)),
                None => return results,
            },
            _ = &mut interrupt => return results,
        }
    }
}

/// The result of a file in a closed batch.
async fn file_result(closed: &ClosedBatch, file: &ListedFile, data_id: &str) -> FileResult {
    let path = file.path.clone();
    let report = match closed.file(data_id).await {
        Ok(progress) => progress.report,
        Err(error) => return FileResult::from_error(path, &error),
    };
    match report {
        Some(report) if file.is_unchanged() => FileResult::from_report(path, &report),
        Some(report) => FileResult::changed(path, &report),
        None => FileResult {
            node: Some(closed.node()),
            data_id: Some(data_id.to_owned()),
            ..FileResult::failed(path, "the batch is closed without a verdict on the file".to_owned())
        },
    }
}

/// Adds the results of all files; `result_in_batch` returns that of a file in the batch.
fn add_results(
    sent: Vec<SentFile>,
    output: &mut Output,
    result_in_batch: impl Fn(PathBuf, &str) -> FileResult,
) -> anyhow::Result<()> {
    for SentFile { file, start, data_id } in sent {
        let result = match data_id {
            Ok(data_id) => result_in_batch(file.path, &data_id),
            Err(result) => result,
        };
        output.add_file(FileResult { duration: start.elapsed(), ..result })?;
    }
    Ok(())
}

/// Saves the signed result of the batch, if the command line asks for it.
async fn save_signed_result(closed: &ClosedBatch, args: &ScanArgs, output: &mut Output) {
    if let Some(path) = &args.signed_result
        && let Err(error) = write_signed_result(closed, path).await
    {
        output.set_signed_result_error(error);
    }
}

async fn write_signed_result(closed: &ClosedBatch, path: &Path) -> anyhow::Result<()> {
    let signed = closed.signed_result().await.context("the signed result cannot be fetched")?;
    fs::write(path, signed).with_context(|| format!("{} cannot be written", path.display()))
}
