//! The work: so many files at a time, until all are done or somebody interrupts.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Wanted;
use super::bars::{Bars, FileBar};
use super::files::{self, File};
use super::journal::{Earlier, Journal};
use super::summary::{self, Done, Outcome};
use crate::client::{Cluster, Error, FileScan, OpenBatch, Source, TakenUp};
use crate::daemon::Signals;

/// What all scans share.
#[derive(Clone)]
struct Shared {
    cluster: Cluster,
    bars: Bars,
    journal: Arc<Journal>,
    earlier: Arc<HashMap<PathBuf, Earlier>>,
    resubmissions: u32,
    /// The batch that files are sent into, if they are.
    batch: Option<OpenBatch>,
}

/// Scans everything and shows what came of it.
///
/// # Errors
/// Nothing could be begun.
pub(super) async fn scan_all(wanted: &Wanted) -> anyhow::Result<Vec<Done>> {
    let mut files = files::list(&wanted.paths)?;
    let cluster = wanted.cluster()?;
    let (journal, earlier) = Journal::open(wanted.resume.as_deref())?;
    files.retain(|file| !matches!(earlier.get(&file.path), Some(Earlier::Done)));
    let bars = Bars::new(files.len(), !wanted.json);
    let batch = if wanted.batch { Some(cluster.open_batch().await?) } else { None };
    let shared = Shared {
        cluster,
        bars: bars.clone(),
        journal: Arc::new(journal),
        earlier: Arc::new(earlier),
        resubmissions: wanted.resubmit,
        batch: batch.clone(),
    };
    let mut signals = Signals::catch()?;
    let places = Arc::new(Semaphore::new(usize::from(wanted.concurrency)));
    let mut tasks = JoinSet::new();
    let mut left = HashMap::new();
    for file in files {
        let (shared, places) = (shared.clone(), Arc::clone(&places));
        let path = file.path.clone();
        let task = tasks.spawn(async move {
            let _place = places.acquire().await;
            shared.scan(file).await
        });
        left.insert(task.id(), path);
    }
    let mut all = Vec::new();
    let interrupted = loop {
        tokio::select! {
            done = tasks.join_next_with_id() => match done {
                None => break false,
                Some(Ok((id, done))) => {
                    left.remove(&id);
                    take(wanted, &bars, &mut all, done);
                }
                Some(Err(error)) => {
                    if let Some(path) = left.remove(&error.id()) {
                        take(wanted, &bars, &mut all, failed(path, format!("the scan has panicked: {error}")));
                    }
                }
            },
            _ = signals.end.recv() => break true,
        }
    };
    if interrupted {
        tasks.shutdown().await;
        for (_, path) in left {
            take(wanted, &bars, &mut all, failed(path, "interrupted".to_owned()));
        }
    }
    if let Some(batch) = batch {
        end_batch(batch, interrupted, &mut all).await;
    }
    bars.end();
    all.sort_by(|a, b| a.path.cmp(&b.path));
    if !wanted.json {
        // Whether anybody reads it is their matter.
        let _ = summary::show(&all);
    } else if wanted.batch {
        print_json(&all);
    }
    Ok(all)
}

/// A file is done; in a batch the verdicts come at the end.
fn take(wanted: &Wanted, bars: &Bars, all: &mut Vec<Done>, done: Done) {
    bars.count();
    if wanted.json && !wanted.batch {
        print_json(std::slice::from_ref(&done));
    }
    all.push(done);
}

fn print_json(all: &[Done]) {
    for done in all {
        // Whether anybody reads it is their matter.
        let _ = writeln!(std::io::stdout(), "{}", done.json());
    }
}

fn failed(path: PathBuf, why: String) -> Done {
    Done { path, session: None, outcome: Outcome::Failed(why), took: Duration::ZERO }
}

/// Closes the batch, or gives it up, and takes the verdicts on its files from it.
async fn end_batch(batch: OpenBatch, interrupted: bool, all: &mut [Done]) {
    if interrupted {
        // It is given up in any case.
        let _ = batch.cancel().await;
        return;
    }
    let results = match batch.close().await {
        Ok(closed) => closed.results().await,
        Err(error) => Err(error),
    };
    for done in all.iter_mut().filter(|done| done.outcome == Outcome::Allowed) {
        let id = done.session.as_ref().map(|(_, id)| id.as_str());
        done.outcome = match &results {
            Err(error) => Outcome::Failed(error.to_string()),
            Ok(results) => match results.files.iter().find(|file| Some(file.data_id.as_str()) == id) {
                Some(file) if file.code == 0 => Outcome::Allowed,
                Some(file) => Outcome::Blocked(word_of(file.code)),
                None => Outcome::Failed("the batch does not know it".to_owned()),
            },
        };
    }
}

/// The word of a result of which only the number is told.
fn word_of(code: i64) -> String {
    match code {
        1 => "Infected".to_owned(),
        2 => "Suspicious".to_owned(),
        3 => "Failed".to_owned(),
        10 => "Not Scanned".to_owned(),
        19 => "Canceled".to_owned(),
        other => format!("result {other}"),
    }
}

impl Shared {
    async fn scan(&self, file: File) -> Done {
        let began = Instant::now();
        let outcome = match &self.batch {
            Some(batch) => self.send_into(batch, &file).await,
            None => self.scan_alone(&file).await,
        };
        let path = file.path;
        let mut done = match outcome {
            Ok(done) => done,
            Err(error) => failed(path, error.to_string()),
        };
        done.took = began.elapsed();
        done
    }

    /// Sends a file into the batch; what it is shows when the batch is closed.
    async fn send_into(&self, batch: &OpenBatch, file: &File) -> Result<Done, Error> {
        let mut source = Source::path(&file.path);
        let _bar = self.bar(file, source.sent());
        let data_id = batch.send(&mut source).await?;
        let (session, took) = (Some((batch.node(), data_id)), Duration::ZERO);
        Ok(Done { path: file.path.clone(), session, outcome: Outcome::Allowed, took })
    }

    /// Scans a file in a session of its own, or goes on with the one of an earlier run.
    async fn scan_alone(&self, file: &File) -> Result<Done, Error> {
        let mut left = self.resubmissions;
        let mut taken_up = match self.earlier.get(&file.path) {
            Some(Earlier::Sent(ticket)) => Some(self.cluster.take_up(ticket)?),
            _ => None,
        };
        loop {
            let outcome = match taken_up.take() {
                Some(TakenUp::File(scan)) => match self.result(file, &scan, &self.bar(file, Arc::default())).await {
                    // It was another run's: the file can be sent again.
                    Err(error) if error.is_lost() => continue,
                    other => other,
                },
                _ => self.send_and_wait(file).await,
            };
            match outcome {
                Err(error) if error.is_lost() && left > 0 => left -= 1,
                Ok(done) => {
                    self.note(self.journal.ended(&file.path, true));
                    return Ok(done);
                }
                // It goes on: another run may wait for it.
                Err(error @ Error::TooLong { .. }) => return Err(error),
                Err(error) => {
                    self.note(self.journal.ended(&file.path, false));
                    return Err(error);
                }
            }
        }
    }

    async fn send_and_wait(&self, file: &File) -> Result<Done, Error> {
        let mut source = Source::path(&file.path);
        let bar = self.bar(file, source.sent());
        let scan = self.cluster.scan(&mut source).await?;
        self.note(self.journal.sent(&file.path, &scan.ticket()));
        self.result(file, &scan, &bar).await
    }

    fn bar(&self, file: &File, sent: Arc<AtomicU64>) -> FileBar {
        self.bars.begin(&file.path, file.size, sent)
    }

    async fn result(&self, file: &File, scan: &FileScan, bar: &FileBar) -> Result<Done, Error> {
        let report = scan.result_watched(|percent| bar.scanned(percent)).await?;
        Ok(Done::reported(file.path.clone(), &report, Duration::ZERO))
    }

    /// A journal that cannot be written is worth a word, and no reason to stop.
    fn note(&self, written: std::io::Result<()>) {
        if let Err(error) = written {
            let _ = writeln!(std::io::stderr(), "evenkeel: the file of --resume cannot be written: {error}");
        }
    }
}
