//! Scans each file in a session of its own, or resumes the session of a previous run.
//!
//! A file that fails gets a result that says so. The scan as a whole fails if the journal cannot be
//! used or results cannot be written.

use std::fs;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use evenkeel_client::{Cluster, Error, FileScan, Report, ResumedSession, ScanEvent, Source};

use super::args::ScanArgs;
use super::files::ListedFile;
use super::journal::{Journal, PreviousProgress, PreviousRuns};
use super::output::Output;
use super::parallel::for_each_file;
use super::progress::ProgressBars;
use super::results::FileResult;
use crate::signals::EndSignals;

/// Scans each file in a session of its own.
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
    let (journal, previous) = Journal::open(args.resume.as_deref(), &args.cluster)?;
    let scanner = Arc::new(Scanner { cluster, bars: bars.clone(), journal, previous });
    let work = |file: ListedFile| {
        let scanner = Arc::clone(&scanner);
        async move { scanner.scan(file).await }
    };
    let mut signals = EndSignals::catch()?;
    for_each_file(files, args.concurrency(), work, pin!(signals.recv()), |file, result| {
        bars.count_file();
        output.add_file(result.unwrap_or_else(|reason| FileResult::failed(file.path, reason.to_string())))
    })
    .await?;
    Ok(())
}

/// What the scans of all files share.
struct Scanner {
    cluster: Cluster,
    bars: ProgressBars,
    journal: Journal,
    previous: PreviousRuns,
}

impl Scanner {
    /// Scans a file unless a previous run has a verdict on it.
    async fn scan(&self, file: ListedFile) -> FileResult {
        let start = Instant::now();
        let (file, opened) = match file.open() {
            Ok(opened) => opened,
            Err(error) => return FileResult::failed(file.path, error.to_string()),
        };
        let report = match self.previous.progress_of(&file) {
            Some(PreviousProgress::Done(result)) => return FileResult { path: file.path, ..result.clone() },
            Some(PreviousProgress::Sent(ticket)) => match self.cluster.resume(ticket) {
                Ok(ResumedSession::File(scan)) => self.resume(&file, opened, &scan).await,
                _ => self.send(&file, opened).await,
            },
            None => self.send(&file, opened).await,
        };
        let duration = start.elapsed();
        match report {
            Ok(report) => {
                let result = FileResult { duration, ..FileResult::from_report(file.path.clone(), &report) };
                self.journal.done(&file, &result);
                result
            }
            Err(error) => {
                // A slow scan continues at its node, so its session stays in the journal for the
                // next run.
                if !matches!(error, Error::ResultTimeout { .. }) {
                    self.journal.failed(&file, &error.to_string());
                }
                FileResult { duration, ..FileResult::from_error(file.path, &error) }
            }
        }
    }

    /// Waits for the session of a previous run; sends the file again if that session is lost.
    async fn resume(&self, file: &ListedFile, opened: fs::File, scan: &FileScan) -> Result<Report, Error> {
        let size = file.version.size;
        let bar = self.bars.add_file(&file.path, size, Arc::new(AtomicU64::new(size)));
        match scan.result_with_progress(|percent| bar.show_scanning(percent)).await {
            Err(error) if error.is_session_lost() => {
                drop(bar);
                self.send(file, opened).await
            }
            other => other,
        }
    }

    /// Sends a file and waits for its report.
    async fn send(&self, file: &ListedFile, opened: fs::File) -> Result<Report, Error> {
        let mut source = Source::file(file.name(), opened);
        let bar = self.bars.add_file(&file.path, file.version.size, source.bytes_sent());
        let on_event = |event: ScanEvent<'_>| match event {
            ScanEvent::Started(scan) => self.journal.sent(file, &scan.ticket()),
            ScanEvent::Progress(percent) => bar.show_scanning(percent),
            ScanEvent::Lost(_) => bar.show_sending(),
            // Events of later versions of the library are not shown.
            _ => {}
        };
        self.cluster.scan_to_end_with_events(&mut source, on_event).await
    }
}
