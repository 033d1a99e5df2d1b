//! The work: so many files at a time, until all are done, somebody interrupts, or nobody reads what came of them.

use std::collections::HashMap;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::super::FAILED;
use super::Wanted;
use super::files::{self, File};
use super::progress::Bars;
use super::summary::{Batch, Done, Summary};
use super::{batch, single};
use crate::signals::EndSignals;

/// Why what did not end has no verdict.
pub(super) const INTERRUPTED: &str = "interrupted";

const STDOUT: &str = "standard output cannot be written";

/// Scans everything and shows what came of it.
///
/// # Errors
/// Nothing could be begun, or standard output cannot be written.
pub(super) async fn scan_all(wanted: &Wanted) -> anyhow::Result<Summary> {
    let listed = files::list(&wanted.paths);
    let cluster = wanted.cluster()?;
    let mut out = Out { is_json: wanted.json, summary: Summary::default() };
    leave_at_the_second_signal()?;
    let bars = Bars::new(listed.files.len(), !wanted.json);
    for (path, why) in listed.unreadable {
        out.take(Done::failed(path, why))?;
    }
    if wanted.batch {
        batch::scan(wanted, cluster, listed.files, &bars, &mut out).await?;
    } else {
        single::scan(wanted, cluster, listed.files, &bars, &mut out).await?;
    }
    bars.end();
    out.summary.files.sort_by(|a, b| a.path.cmp(&b.path));
    if !wanted.json {
        out.summary.show().context(STDOUT)?;
    }
    Ok(out.summary)
}

/// Ends the process when somebody interrupts it twice: it may hang where nobody reads what it writes.
fn leave_at_the_second_signal() -> io::Result<()> {
    let mut signals = EndSignals::catch()?;
    tokio::spawn(async move {
        signals.recv().await;
        signals.recv().await;
        std::process::exit(i32::from(FAILED));
    });
    Ok(())
}

/// Where results go, as they come when they are JSON.
pub(super) struct Out {
    is_json: bool,
    pub(super) summary: Summary,
}

impl Out {
    /// A file is done.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn take(&mut self, done: Done) -> anyhow::Result<()> {
        self.print(&done.json())?;
        self.summary.files.push(done);
        Ok(())
    }

    /// The batch is done.
    ///
    /// # Errors
    /// As of [`take`](Self::take).
    pub(super) fn take_batch(&mut self, batch: Batch) -> anyhow::Result<()> {
        self.print(&batch.json())?;
        self.summary.batch = Some(batch);
        Ok(())
    }

    fn print(&self, json: &str) -> anyhow::Result<()> {
        if self.is_json { writeln!(io::stdout(), "{json}").context(STDOUT) } else { Ok(()) }
    }
}

/// Does something with each file, so many at a time, and takes what comes of each; with an interrupt all end where they
/// are, and what comes of them is that. Gives whether it was interrupted.
///
/// # Errors
/// What came of one could not be taken: all end.
pub(super) async fn each<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    files: Vec<File>,
    at_once: usize,
    work: impl Fn(File) -> F,
    mut interrupt: Pin<&mut impl Future<Output = &'static str>>,
    mut take: impl FnMut(File, Result<T, String>) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let places = Arc::new(Semaphore::new(at_once));
    let mut tasks = JoinSet::new();
    let mut left = HashMap::new();
    for file in files {
        let (places, work) = (Arc::clone(&places), work(file.clone()));
        let task = tasks.spawn(async move {
            let _place = places.acquire().await;
            work.await
        });
        left.insert(task.id(), file);
    }
    let mut is_interrupted = false;
    loop {
        let (id, done) = tokio::select! {
            biased;
            joined = tasks.join_next_with_id() => match joined {
                None => break,
                Some(Ok((id, done))) => (id, Ok(done)),
                Some(Err(error)) if error.is_cancelled() => continue,
                Some(Err(error)) => (error.id(), Err(format!("the scan has panicked: {error}"))),
            },
            _ = &mut interrupt, if !is_interrupted => {
                // What has ended by now is still taken.
                is_interrupted = true;
                tasks.abort_all();
                continue;
            }
        };
        if let Some(file) = left.remove(&id) {
            take(file, done)?;
        }
    }
    for file in left.into_values() {
        take(file, Err(INTERRUPTED.to_owned()))?;
    }
    Ok(is_interrupted)
}
