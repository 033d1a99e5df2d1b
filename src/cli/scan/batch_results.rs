//! The results of a closed batch: of each file, and the signed result.
//!
//! The batch scan calls it. A file whose result cannot be read fails alone.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;

use anyhow::Context;
use evenkeel_client::ClosedBatch;
use futures_util::{StreamExt, stream};

use super::args::ScanArgs;
use super::batch_files::SentFile;
use super::files::ListedFile;
use super::output::Output;
use super::results::FileResult;

/// The results of the files in the batch, by `data_id`; after an interrupt, those that have
/// arrived.
pub(super) async fn file_results(
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
pub(super) fn add_results(
    sent: Vec<SentFile>,
    output: &mut Output,
    result_in_batch: impl Fn(PathBuf, &str) -> FileResult,
) {
    for SentFile { file, start, data_id } in sent {
        let result = match data_id {
            Ok(data_id) => result_in_batch(file.path, &data_id),
            Err(result) => result,
        };
        // All results exist by now, so they count even if they cannot be shown.
        let _ = output.add_file(FileResult { duration: start.elapsed(), ..result });
    }
}

/// Saves the signed result of the batch, if the command line asks for it.
pub(super) async fn save_signed_result(closed: &ClosedBatch, args: &ScanArgs, output: &mut Output) {
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
