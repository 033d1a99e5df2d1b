//! All files in one batch: sent, closed, and each with the verdict that its node has on it then.

use std::collections::HashMap;
use std::fs;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::{StreamExt, stream};

use super::Wanted;
use super::bars::Bars;
use super::files::File;
use super::summary::{Batch, Done};
use super::work::{INTERRUPTED, Out, each};
use crate::client::{BatchStatus, ClosedBatch, Cluster, Error, OpenBatch, Source, TakenUp, Ticket};
use crate::daemon::EndSignals;

/// A file that is in the batch: the node's name for it, or why it is not.
type Sent = (File, Duration, Result<String, Done>);

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
/// It could not be opened, or its results cannot be written.
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
    let batch = cluster.open_batch().await?;
    let ticket = batch.ticket();
    // From here on there is something to give up.
    let mut signals = EndSignals::catch()?;
    let filling = Arc::new(Filling { batch, bars: bars.clone(), lost: OnceLock::new() });
    let mut sent: Vec<Sent> = Vec::new();
    let is_interrupted = {
        let work = |file: File| {
            let filling = Arc::clone(&filling);
            async move { filling.send(&file).await }
        };
        let taken = |file: File, outcome: Result<(Duration, Result<String, Done>), String>| {
            bars.count();
            let failed = |why| (Duration::ZERO, Err(Done::failed(file.path.clone(), why)));
            let (took, outcome) = outcome.unwrap_or_else(failed);
            sent.push((file, took, outcome));
            Ok(())
        };
        each(files, usize::from(wanted.concurrency), work, pin!(signals.recv()), taken).await?
    };
    let batch = Arc::into_inner(filling).map(|filling| filling.batch);
    let closed = match batch {
        Some(batch) if !is_interrupted => tokio::select! {
            closed = close(batch, wanted) => closed,
            _ = signals.recv() => Err(INTERRUPTED.to_owned()),
        },
        _ => Err(INTERRUPTED.to_owned()),
    };
    match closed {
        Ok((closed, results)) => {
            let node = closed.node();
            let reports = tokio::select! {
                reports = reports(&closed, &sent, usize::from(wanted.concurrency)) => reports,
                _ = signals.recv() => HashMap::new(),
            };
            for (file, took, outcome) in sent {
                out.take(verdict(file, took, outcome, &reports))?;
            }
            out.take_batch(Batch::new(node, &results, closed.batch_id()))?;
        }
        Err(why) => {
            // Whoever asks again does not want to wait for the node either.
            tokio::select! {
                () = give_up(&cluster, &ticket) => {}
                _ = signals.recv() => {}
            }
            for (file, took, outcome) in sent {
                let done = outcome.map_or_else(|done| done, |_| Done::failed(file.path, why.clone()));
                out.take(Done { took, ..done })?;
            }
        }
    }
    Ok(())
}

impl Filling {
    async fn send(&self, file: &File) -> (Duration, Result<String, Done>) {
        let began = Instant::now();
        let outcome = match self.lost.get() {
            Some(why) => Err(Done::failed(file.path.clone(), why.clone())),
            None => self.upload(file).await,
        };
        (began.elapsed(), outcome)
    }

    async fn upload(&self, file: &File) -> Result<String, Done> {
        let mut source = Source::path(&file.path);
        let _bar = self.bars.begin(&file.path, file.version.size, source.sent());
        let sent = self.batch.send(&mut source).await;
        sent.map_err(|error| {
            if error.is_lost() || matches!(error, Error::BatchElsewhere { .. }) {
                self.lost.get_or_init(|| error.to_string());
            }
            Done::failed_with(file.path.clone(), &error)
        })
    }
}

/// Closes the batch and reads its results; writes the signed one where it is wanted.
async fn close(batch: OpenBatch, wanted: &Wanted) -> Result<(ClosedBatch, BatchStatus), String> {
    let closed = batch.close().await.map_err(|not_closed| not_closed.to_string())?;
    let results = closed.results().await.map_err(|error| error.to_string())?;
    if let Some(path) = &wanted.signed_result {
        let signed = closed.signed_result().await.map_err(|error| error.to_string())?;
        let written = fs::write(path, signed).with_context(|| format!("{} cannot be written", path.display()));
        written.map_err(|error| format!("{error:#}"))?;
    }
    Ok((closed, results))
}

/// What the node says of each file by its name for it.
async fn reports(closed: &ClosedBatch, sent: &[Sent], at_once: usize) -> HashMap<String, Done> {
    let files = sent.iter().filter_map(|(file, _, outcome)| Some((file, outcome.as_ref().ok()?)));
    let asked = files.map(|(file, data_id)| async move {
        let done = match closed.file(data_id).await {
            Ok(progress) => match progress.report {
                Some(report) => Done::reported(file.path.clone(), &report),
                None => Done::failed(file.path.clone(), "the batch is closed and it has no verdict".to_owned()),
            },
            Err(error) => Done::failed_with(file.path.clone(), &error),
        };
        (data_id.clone(), done)
    });
    stream::iter(asked).buffer_unordered(at_once).collect().await
}

/// What came of a file of a closed batch.
fn verdict(file: File, took: Duration, outcome: Result<String, Done>, reports: &HashMap<String, Done>) -> Done {
    let done = match outcome {
        Ok(data_id) => {
            let interrupted = || Done::failed(file.path, INTERRUPTED.to_owned());
            reports.get(&data_id).cloned().unwrap_or_else(interrupted)
        }
        Err(done) => done,
    };
    Done { took, ..done }
}

/// Cancels a batch that will not be closed: its node need not go on. Whether it hears that is its matter.
async fn give_up(cluster: &Cluster, ticket: &Ticket) {
    if let Ok(TakenUp::Batch(batch)) = cluster.take_up(ticket) {
        let _ = batch.cancel().await;
    }
}
