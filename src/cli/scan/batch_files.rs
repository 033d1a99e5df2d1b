//! Sends files into an open batch, several at a time.
//!
//! The batch scan calls it. Files that a previous run has sent are not sent again. A file that
//! cannot be sent gets a result that says why. Once the session is lost, all remaining files get
//! the result `failed` without an attempt to send them.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use evenkeel_client::OpenBatch;

use super::files::{Content, ListedFile};
use super::journal::Journal;
use super::parallel::for_each_file;
use super::progress::ProgressBars;
use super::results::FileResult;
use crate::signals::EndSignals;

/// A file after the attempt to send it.
pub(super) struct SentFile {
    pub(super) file: ListedFile,
    pub(super) start: Instant,
    /// The `data_id` of the file, or the result of a file that is not in the batch.
    pub(super) data_id: Result<String, FileResult>,
}

impl SentFile {
    /// A file that is not in the batch; work on it began at `start`. `result` may have no path.
    pub(super) fn failed(file: ListedFile, start: Instant, result: FileResult) -> Self {
        let result = FileResult { path: file.path.clone(), ..result };
        Self { file, start, data_id: Err(result) }
    }
}

/// A batch after the attempt to send all files.
pub(super) struct Filled {
    pub(super) sent: Vec<SentFile>,
    /// None after an interrupt, if an aborted task still holds the batch.
    pub(super) batch: Option<OpenBatch>,
    /// Why the session was lost while files were sent, if it was.
    pub(super) lost: Option<String>,
    pub(super) is_interrupted: bool,
}

/// A batch while files are sent into it.
pub(super) struct BatchFiles<'j> {
    filling: Arc<Filling>,
    journal: &'j Journal,
}

struct Filling {
    batch: OpenBatch,
    bars: ProgressBars,
    /// The `data_id` of files that are in the batch already, by path.
    in_batch: HashMap<PathBuf, String>,
    /// Why the session is lost, once it is; the files that follow fail at once.
    lost: OnceLock<String>,
}

impl<'j> BatchFiles<'j> {
    /// A batch that has some of the files.
    pub(super) fn new(
        batch: OpenBatch,
        bars: ProgressBars,
        journal: &'j Journal,
        in_batch: HashMap<PathBuf, String>,
    ) -> Self {
        Self { filling: Arc::new(Filling { batch, bars, in_batch, lost: OnceLock::new() }), journal }
    }

    /// Sends all files.
    pub(super) async fn send_all(self, files: Vec<ListedFile>, concurrency: usize, signals: &mut EndSignals) -> Filled {
        let Self { filling, journal } = self;
        let work = |file: ListedFile| {
            let filling = Arc::clone(&filling);
            async move { filling.send(file).await }
        };
        let mut sent = Vec::new();
        let is_interrupted = for_each_file(files, concurrency, work, pin!(signals.recv()), |file, start, result| {
            filling.bars.count_file();
            let result = result.unwrap_or_else(|reason| {
                let failed = FileResult::failed(PathBuf::new(), reason.to_string());
                SentFile::failed(file, start, failed)
            });
            if let Ok(data_id) = &result.data_id
                && !filling.in_batch.contains_key(&result.file.path)
            {
                journal.sent_into_batch(&result.file, data_id);
            }
            sent.push(result);
            ControlFlow::Continue(())
        })
        .await;
        let lost = filling.lost.get().cloned();
        Filled { sent, batch: Arc::into_inner(filling).map(|filling| filling.batch), lost, is_interrupted }
    }
}

impl Filling {
    /// Sends a file, unless it is in the batch or the session is lost.
    async fn send(&self, file: ListedFile) -> SentFile {
        let start = Instant::now();
        if let Some(data_id) = self.in_batch.get(&file.path) {
            return SentFile { data_id: Ok(data_id.clone()), file, start };
        }
        if let Some(reason) = self.lost.get() {
            return SentFile::failed(file, start, FileResult::failed(PathBuf::new(), reason.clone()));
        }
        match file.open().await {
            Ok((file, opened)) => SentFile { data_id: self.upload(&file, &opened).await, file, start },
            Err(error) => SentFile::failed(file, start, FileResult::failed(PathBuf::new(), error.to_string())),
        }
    }

    async fn upload(&self, file: &ListedFile, opened: &Content) -> Result<String, FileResult> {
        let source = opened.source(file.name());
        let mut source = source.map_err(|error| FileResult::failed(file.path.clone(), error.to_string()))?;
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
