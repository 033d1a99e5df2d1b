//! Scans all files in one batch: sends them, closes the batch, and reads the result of each file.
//!
//! A file that cannot be sent gets a result that says so; the others stay in the batch. If the
//! batch cannot be closed, or on an interrupt, the batch is cancelled and every file gets the
//! verdict `failed`. The scan as a whole fails if results cannot be written.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use anyhow::Context;
use evenkeel_client::{BatchStatus, ClosedBatch, Cluster, OpenBatch, ResumedSession, Source, Ticket};
use futures_util::{StreamExt, stream};

use super::args::ScanArgs;
use super::files::ListedFile;
use super::output::Output;
use super::parallel::{Unfinished, for_each_file};
use super::progress::ProgressBars;
use super::results::{BatchResult, FileResult};
use crate::signals::EndSignals;

/// A file after the attempt to send it.
struct SentFile {
    file: ListedFile,
    start: Instant,
    /// The `data_id` of the file, or the result of a file that is not in the batch.
    data_id: Result<String, FileResult>,
}

/// A batch while files are sent into it.
struct FillingBatch {
    batch: OpenBatch,
    bars: ProgressBars,
    /// Why the session is lost, once it is; the files that follow fail at once.
    lost: OnceLock<String>,
}

/// Scans all files in one batch.
///
/// # Errors
/// Results cannot be written.
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
    let mut signals = EndSignals::catch()?;
    let batch = match open(&cluster, &mut signals).await {
        Ok(batch) => batch,
        Err(result) => {
            let with_path = |file: ListedFile| FileResult { path: file.path, ..result.clone() };
            return files.into_iter().try_for_each(|file| output.add_file(with_path(file)));
        }
    };
    let (node, ticket) = (batch.node(), batch.ticket());
    let filling = Arc::new(FillingBatch { batch, bars: bars.clone(), lost: OnceLock::new() });
    let (sent, is_interrupted) = fill(&filling, files, args.concurrency(), &mut signals).await?;
    let closed = match Arc::into_inner(filling) {
        Some(filling) if !is_interrupted => tokio::select! {
            closed = close(filling.batch) => closed,
            _ = signals.recv() => Err(Unfinished::Interrupted.into()),
        },
        // After an interrupt, an aborted task may still hold the batch.
        _ => Err(Unfinished::Interrupted.into()),
    };
    match closed {
        Ok((closed, status)) => {
            let results = file_results(&closed, &sent, args.concurrency(), signals.recv()).await;
            report(sent, &results, output)?;
            output.add_batch(BatchResult::new(node, closed.batch_id(), &status))?;
            save_signed_result(&closed, args, output).await;
            Ok(())
        }
        Err(reason) => {
            // A second interrupt does not wait for the node.
            tokio::select! {
                () = cancel(&cluster, &ticket) => {}
                _ = signals.recv() => {}
            }
            add_results(sent, output, |path, data_id| FileResult {
                node: Some(node),
                data_id: Some(data_id),
                ..FileResult::failed(path, reason.to_string())
            })
        }
    }
}

/// Opens a batch. The error is the result of every file, without its path.
async fn open(cluster: &Cluster, signals: &mut EndSignals) -> Result<OpenBatch, FileResult> {
    tokio::select! {
        opened = cluster.open_batch() => opened.map_err(|error| FileResult::from_error(PathBuf::new(), &error)),
        _ = signals.recv() => Err(FileResult::failed(PathBuf::new(), Unfinished::Interrupted.to_string())),
    }
}

/// Sends all files into the batch; returns them, and true if it was interrupted.
async fn fill(
    filling: &Arc<FillingBatch>,
    files: Vec<ListedFile>,
    concurrency: usize,
    signals: &mut EndSignals,
) -> anyhow::Result<(Vec<SentFile>, bool)> {
    let work = |file: ListedFile| {
        let filling = Arc::clone(filling);
        async move { filling.send(file).await }
    };
    let mut sent = Vec::new();
    let is_interrupted = for_each_file(files, concurrency, work, pin!(signals.recv()), |file, result| {
        filling.bars.count_file();
        sent.push(result.unwrap_or_else(|reason| {
            let data_id = Err(FileResult::failed(file.path.clone(), reason.to_string()));
            SentFile { file, start: Instant::now(), data_id }
        }));
        Ok(())
    })
    .await?;
    Ok((sent, is_interrupted))
}

impl FillingBatch {
    /// Sends a file unless the session is lost.
    async fn send(&self, file: ListedFile) -> SentFile {
        let start = Instant::now();
        let data_id = match self.lost.get() {
            Some(reason) => Err(FileResult::failed(file.path.clone(), reason.clone())),
            None => self.upload(&file).await,
        };
        SentFile { file, start, data_id }
    }

    async fn upload(&self, file: &ListedFile) -> Result<String, FileResult> {
        let opened = file.open();
        let (file, opened) = opened.map_err(|error| FileResult::failed(file.path.clone(), error.to_string()))?;
        let mut source = Source::file(file.name(), opened);
        let _bar = self.bars.add_file(&file.path, file.version.size, source.bytes_sent());
        self.batch.send(&mut source).await.map_err(|error| {
            if error.is_session_lost() {
                self.lost.get_or_init(|| error.to_string());
            }
            // The session of the error is the batch; the file has no identifier.
            FileResult { data_id: None, ..FileResult::from_error(file.path.clone(), &error) }
        })
    }
}

/// Closes the batch and reads its status.
async fn close(batch: OpenBatch) -> anyhow::Result<(ClosedBatch, BatchStatus)> {
    let closed = batch.close().await?;
    let status = closed.results().await?;
    Ok((closed, status))
}

/// Cancels a batch that will not be closed, so that its node does not go on scanning. Errors are
/// ignored: without the batch there is nothing left to do.
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
    let in_batch = sent.iter().filter_map(|sent| Some((&sent.file.path, sent.data_id.as_ref().ok()?)));
    let queries = in_batch.map(|(path, data_id)| async move {
        let undecided =
            || FileResult::failed(path.clone(), "the batch is closed without a verdict on the file".to_owned());
        let result = match closed.file(data_id).await {
            Ok(progress) => {
                progress.report.map_or_else(undecided, |report| FileResult::from_report(path.clone(), &report))
            }
            Err(error) => FileResult::from_error(path.clone(), &error),
        };
        (data_id.clone(), result)
    });
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

/// Adds the results of all files of a closed batch. Files in the batch without a result were
/// interrupted.
fn report(sent: Vec<SentFile>, results: &HashMap<String, FileResult>, output: &mut Output) -> anyhow::Result<()> {
    let interrupted = |path| FileResult::failed(path, Unfinished::Interrupted.to_string());
    add_results(sent, output, |path, data_id| results.get(&data_id).cloned().unwrap_or_else(|| interrupted(path)))
}

/// Adds the results of all files; `result_in_batch` returns that of a file in the batch.
fn add_results(
    sent: Vec<SentFile>,
    output: &mut Output,
    result_in_batch: impl Fn(PathBuf, String) -> FileResult,
) -> anyhow::Result<()> {
    for SentFile { file, start, data_id } in sent {
        let result = match data_id {
            Ok(data_id) => result_in_batch(file.path, data_id),
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
