//! All files in one batch: sent, closed, and each with the verdict that its node has on it then.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use anyhow::Context;
use futures_util::{StreamExt, stream};

use super::Wanted;
use super::files::File;
use super::parallel::{INTERRUPTED, Out, each};
use super::progress::Bars;
use super::summary::{Batch, Done};
use crate::signals::EndSignals;
use evenkeel_client::{BatchStatus, ClosedBatch, Cluster, OpenBatch, ResumedSession, Source, Ticket};

/// A file that is in the batch, or should be.
struct Sent {
    file: File,
    began: Instant,
    /// The node's name for it, or why it is not in the batch.
    outcome: Result<String, Done>,
}

/// The batch while it is filled.
struct Filling {
    batch: OpenBatch,
    bars: Bars,
    /// Why its node is gone, so that not every file finds that out.
    lost: OnceLock<String>,
}

/// Scans all files in one batch.
///
/// # Errors
/// Results cannot be written.
pub(super) async fn scan(
    wanted: &Wanted,
    cluster: Cluster,
    files: Vec<File>,
    bars: &Bars,
    out: &mut Out,
) -> anyhow::Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let at_once = usize::from(wanted.concurrency);
    let mut signals = EndSignals::catch()?;
    let opened = tokio::select! {
        opened = cluster.open_batch() => opened.map_err(|error| Done::failed_with(PathBuf::new(), &error)),
        _ = signals.recv() => Err(Done::failed(PathBuf::new(), INTERRUPTED.to_owned())),
    };
    let batch = match opened {
        Ok(batch) => batch,
        Err(done) => return files.into_iter().try_for_each(|file| out.take(Done { path: file.path, ..done.clone() })),
    };
    let (node, ticket) = (batch.node(), batch.ticket());
    let filling = Arc::new(Filling { batch, bars: bars.clone(), lost: OnceLock::new() });
    let mut sent: Vec<Sent> = Vec::new();
    let work = |file: File| {
        let filling = Arc::clone(&filling);
        async move { filling.send(file).await }
    };
    let taken = |file: File, ended: Result<(Instant, Result<String, Done>), String>| {
        bars.count();
        let failed = |why| (Instant::now(), Err(Done::failed(file.path.clone(), why)));
        let (began, outcome) = ended.unwrap_or_else(failed);
        sent.push(Sent { file, began, outcome });
        Ok(())
    };
    let is_interrupted = each(files, at_once, work, pin!(signals.recv()), taken).await?;
    let closed = match Arc::into_inner(filling) {
        Some(filling) if !is_interrupted => tokio::select! {
            closed = close(filling.batch) => closed,
            _ = signals.recv() => Err(INTERRUPTED.to_owned()),
        },
        _ => Err(INTERRUPTED.to_owned()),
    };
    match closed {
        Ok((closed, results)) => {
            let reports = reports(&closed, &sent, at_once, signals.recv()).await;
            for Sent { file, began, outcome } in sent {
                let unread = || Done::failed(file.path.clone(), INTERRUPTED.to_owned());
                let done = outcome.map(|data_id| reports.get(&data_id).cloned().unwrap_or_else(unread));
                out.take(Done { took: began.elapsed(), ..done.unwrap_or_else(|done| done) })?;
            }
            out.take_batch(Batch::new(node, &results, closed.batch_id()))?;
            out.summary.trouble = keep_signed_result(&closed, wanted).await.err();
        }
        Err(why) => {
            // Whoever asks again does not want to wait for the node either.
            tokio::select! {
                () = give_up(&cluster, &ticket) => {}
                _ = signals.recv() => {}
            }
            for Sent { file, began, outcome } in sent {
                let unknown =
                    |data_id| Done { node: Some(node), data_id: Some(data_id), ..Done::failed(file.path, why.clone()) };
                out.take(Done { took: began.elapsed(), ..outcome.map_or_else(|done| done, unknown) })?;
            }
        }
    }
    Ok(())
}

impl Filling {
    /// Sends a file; gives when that began, and the node's name for it.
    async fn send(&self, file: File) -> (Instant, Result<String, Done>) {
        let began = Instant::now();
        let outcome = match self.lost.get() {
            Some(why) => Err(Done::failed(file.path, why.clone())),
            None => self.upload(&file).await,
        };
        (began, outcome)
    }

    async fn upload(&self, file: &File) -> Result<String, Done> {
        let opened = file.open();
        let (file, opened) = opened.map_err(|error| Done::failed(file.path.clone(), error.to_string()))?;
        let mut source = Source::file(file.name(), opened);
        let _bar = self.bars.begin(&file.path, file.version.size, source.bytes_sent());
        self.batch.send(&mut source).await.map_err(|error| {
            if error.is_session_lost() {
                self.lost.get_or_init(|| error.to_string());
            }
            // The session is the batch, and the file has no name in it.
            Done { data_id: None, ..Done::failed_with(file.path.clone(), &error) }
        })
    }
}

/// Closes the batch and reads its results.
async fn close(batch: OpenBatch) -> Result<(ClosedBatch, BatchStatus), String> {
    let closed = batch.close().await.map_err(|not_closed| not_closed.to_string())?;
    let results = closed.results().await.map_err(|error| error.to_string())?;
    Ok((closed, results))
}

/// Writes the signed result where it is wanted.
async fn keep_signed_result(closed: &ClosedBatch, wanted: &Wanted) -> Result<(), String> {
    let Some(path) = &wanted.signed_result else { return Ok(()) };
    let signed = closed.signed_result().await.map_err(|error| format!("there is no signed result: {error}"))?;
    let written = fs::write(path, signed).with_context(|| format!("{} cannot be written", path.display()));
    written.map_err(|error| format!("{error:#}"))
}

/// What the node says of each file, by its name for it; what it has said when somebody interrupts.
async fn reports(closed: &ClosedBatch, sent: &[Sent], at_once: usize, interrupt: impl Future) -> HashMap<String, Done> {
    let files = sent.iter().filter_map(|sent| Some((&sent.file, sent.outcome.as_ref().ok()?)));
    let asked = files.map(|(file, data_id)| async move {
        let undecided = || Done::failed(file.path.clone(), "the batch is closed and it has no verdict".to_owned());
        let done = match closed.file(data_id).await {
            Ok(progress) => progress.report.map_or_else(undecided, |report| Done::reported(file.path.clone(), &report)),
            Err(error) => Done::failed_with(file.path.clone(), &error),
        };
        (data_id.clone(), done)
    });
    let mut asked = stream::iter(asked).buffer_unordered(at_once);
    let mut interrupt = pin!(interrupt);
    let mut reports = HashMap::new();
    loop {
        tokio::select! {
            next = asked.next() => match next {
                Some((data_id, done)) => drop(reports.insert(data_id, done)),
                None => return reports,
            },
            _ = &mut interrupt => return reports,
        }
    }
}

/// Cancels a batch that will not be closed: its node need not go on. Whether it hears that is its matter.
async fn give_up(cluster: &Cluster, ticket: &Ticket) {
    if let Ok(ResumedSession::OpenBatch(batch)) = cluster.resume(ticket) {
        let _ = batch.cancel().await;
    }
}
