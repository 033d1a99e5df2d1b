//! A file in a session of its own, or in the one that an earlier run has begun.

use std::fs;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use super::Wanted;
use super::files::File;
use super::journal::{Earlier, Journal, Past};
use super::parallel::{Out, each};
use super::progress::Bars;
use super::summary::Done;
use crate::signals::EndSignals;
use evenkeel_client::{Cluster, Error, FileScan, Report, ResumedSession, ScanEvent, Source};

/// Scans each file by itself.
///
/// # Errors
/// The file of `--resume` cannot be used, or results cannot be written.
pub(super) async fn scan(
    wanted: &Wanted,
    cluster: Cluster,
    files: Vec<File>,
    bars: &Bars,
    out: &mut Out,
) -> anyhow::Result<()> {
    let (journal, past) = Journal::open(wanted.resume.as_deref(), &wanted.cluster)?;
    let alone = Arc::new(Alone { cluster, bars: bars.clone(), journal, past });
    let work = |file: File| {
        let alone = Arc::clone(&alone);
        async move { alone.scan(file).await }
    };
    let taken = |file: File, done: Result<Done, String>| {
        bars.count();
        out.take(done.unwrap_or_else(|why| Done::failed(file.path, why)))
    };
    let mut signals = EndSignals::catch()?;
    each(files, usize::from(wanted.concurrency), work, pin!(signals.recv()), taken).await?;
    Ok(())
}

/// What such scans share.
struct Alone {
    cluster: Cluster,
    bars: Bars,
    journal: Journal,
    past: Past,
}

impl Alone {
    /// Scans a file, unless there is a verdict on it.
    async fn scan(&self, file: File) -> Done {
        let began = Instant::now();
        let (file, opened) = match file.open() {
            Ok(opened) => opened,
            Err(error) => return Done::failed(file.path, error.to_string()),
        };
        let report = match self.past.of(&file) {
            Some(Earlier::Done(done)) => return Done { path: file.path, ..done.clone() },
            Some(Earlier::Sent(ticket)) => match self.cluster.resume(ticket) {
                Ok(ResumedSession::File(scan)) => self.go_on(&file, opened, &scan).await,
                _ => self.send(&file, opened).await,
            },
            None => self.send(&file, opened).await,
        };
        let took = began.elapsed();
        match report {
            Ok(report) => {
                let done = Done { took, ..Done::reported(file.path.clone(), &report) };
                self.journal.done(&file, &done);
                done
            }
            Err(error) => {
                // A scan that is slow goes on: another run may wait for it.
                if !matches!(error, Error::ResultTimeout { .. }) {
                    self.journal.failed(&file, &error.to_string());
                }
                Done { took, ..Done::failed_with(file.path, &error) }
            }
        }
    }

    /// Waits for a session of another run; the file is sent again when that is lost.
    async fn go_on(&self, file: &File, opened: fs::File, scan: &FileScan) -> Result<Report, Error> {
        let bar = self.bars.begin(&file.path, file.version.size, Arc::new(AtomicU64::new(file.version.size)));
        match scan.result_with_progress(|percent| bar.scanned(percent)).await {
            Err(error) if error.is_session_lost() => {
                drop(bar);
                self.send(file, opened).await
            }
            other => other,
        }
    }

    async fn send(&self, file: &File, opened: fs::File) -> Result<Report, Error> {
        let mut source = Source::file(file.name(), opened);
        let bar = self.bars.begin(&file.path, file.version.size, source.bytes_sent());
        let step = |step: ScanEvent<'_>| match step {
            ScanEvent::Started(scan) => self.journal.sent(file, &scan.ticket()),
            ScanEvent::Progress(percent) => bar.scanned(percent),
            ScanEvent::Lost(_) => bar.sending(),
            _ => {}
        };
        self.cluster.scan_to_end_with_events(&mut source, step).await
    }
}
