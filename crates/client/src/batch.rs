//! The session of a batch: opened, filled, closed, then read.
//!
//! ```text
//!  Cluster::open_batch ──► OpenBatch ── close ──► ClosedBatch ──► results, file, signed_result
//!                           │   ▲ │
//!                      send └───┘ └── cancel
//! ```
//!
//! A closed batch accepts no files, so [`ClosedBatch`] has no method to send one. All requests
//! reach the node that opened the batch; they fail if the node is gone or does not know the batch.

use std::net::SocketAddr;

use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use crate::backoff::{Backoff, POLL_DELAYS, deadline_in};
use crate::error::Error;
use crate::pin::Pin;
use crate::registration::Registration;
use crate::report::{BatchPage, BatchStatus, FileStatus, Progress};
use crate::source::Source;
use crate::ticket::{SessionKind, Ticket};

/// A batch that accepts files.
#[derive(Debug)]
pub struct OpenBatch {
    pin: Pin,
    batch_id: String,
    registration: Registration,
}

/// A batch that is closed.
#[derive(Debug)]
pub struct ClosedBatch {
    pin: Pin,
    batch_id: String,
    registration: Registration,
}

/// A batch was not closed. It is still open, and can be closed later or cancelled.
#[derive(Debug, thiserror::Error)]
#[error("the batch could not be closed: {error}")]
#[non_exhaustive]
pub struct CloseError {
    /// The batch.
    pub batch: OpenBatch,
    /// Why it was not closed. The text of this error contains it, so it is not its source, too.
    pub error: Error,
}

impl From<CloseError> for Error {
    fn from(close: CloseError) -> Self {
        close.error
    }
}

/// How far the files of a batch are.
enum BatchProgress {
    /// Some file is in progress.
    InProgress,
    /// The scans of all files have ended.
    Processed,
    /// The batch is closed: an earlier request closed it, and the response was lost.
    Closed,
}

impl OpenBatch {
    /// A batch that has just been opened.
    pub(crate) fn opened(pin: Pin, batch_id: String) -> Self {
        Self { pin, batch_id, registration: Registration::started() }
    }

    /// A batch that was opened before.
    pub(crate) fn resumed(pin: Pin, batch_id: String) -> Self {
        Self { pin, batch_id, registration: Registration::complete() }
    }

    /// The node.
    pub fn node(&self) -> SocketAddr {
        self.pin.node()
    }

    /// The identifier that the node gave to the batch.
    pub fn batch_id(&self) -> &str {
        &self.batch_id
    }

    /// The ticket with which another process resumes this session.
    pub fn ticket(&self) -> Ticket {
        self.pin.ticket(SessionKind::OpenBatch, &self.batch_id)
    }

    /// Sends a file into the batch and returns its `data_id`. Several files can be sent at the same
    /// time.
    ///
    /// No other node knows the batch. If the node is busy, the file is sent again for at most
    /// `deadline`; if the node cannot be reached or breaks the connection, for at most
    /// `outage_timeout`. A file whose last byte was sent before the connection broke can be in the
    /// batch twice.
    ///
    /// # Errors
    /// The source cannot be read, or changes while it is sent. The node is gone, does not know the
    /// batch, breaks the connection during each upload, refuses the file, is busy for too long, or
    /// sends an invalid response.
    pub async fn send(&self, source: &mut Source) -> Result<String, Error> {
        let sent = self.send_to_node(source).await;
        self.registration.restart();
        sent
    }

    async fn send_to_node(&self, source: &mut Source) -> Result<String, Error> {
        let (mut busy, mut outage) = (None, None);
        loop {
            let error = match self.pin.add_file(source, &self.batch_id).await {
                Err(error @ Error::NodeGone { .. }) if !source.is_repeatable() => {
                    return Err(self.if_node_lives(error).await);
                }
                Err(error) if source.is_repeatable() => error,
                other => return other,
            };
            let (backoff, timeout) = match &error {
                Error::NodeBusy { .. } => (&mut busy, self.pin.options().deadline),
                Error::NodeGone { .. } => (&mut outage, self.pin.options().outage_timeout),
                _ => return Err(error),
            };
            if !backoff.get_or_insert_with(|| Backoff::within(timeout, POLL_DELAYS)).wait().await {
                return Err(self.if_node_lives(error).await);
            }
        }
    }

    /// The error of an upload whose connection broke. Asks the node for the batch: if it still
    /// knows the batch, only this upload has failed.
    async fn if_node_lives(&self, error: Error) -> Error {
        let Error::NodeGone { session, reason } = error else { return error };
        match self.pin.batch_page(&self.batch_id, 0).await {
            Ok(_) => Error::UploadBroken { session, reason },
            Err(Error::NodeGone { .. }) => Error::NodeGone { session, reason },
            Err(error) => error,
        }
    }

    /// Sends files into the batch, `concurrency` of them at a time (at least one). Returns the
    /// `data_id` or the error of each file, in the order of `sources`. An error does not stop the
    /// other files. If the future is dropped, nothing more is sent.
    ///
    /// # Errors
    /// None as a whole. The error of a file is one of [`send`](Self::send).
    pub async fn send_all(
        &self,
        sources: impl IntoIterator<Item = Source>,
        concurrency: usize,
    ) -> Vec<Result<String, Error>> {
        let sending = sources.into_iter().map(|mut source| async move { self.send(&mut source).await });
        stream::iter(sending).buffered(concurrency.max(1)).collect().await
    }

    /// Asks the node for the status of the batch.
    ///
    /// # Errors
    /// The node is gone, does not know the batch, is too busy, refuses (403), fails (5xx) for
    /// `outage_timeout`, or sends an invalid response.
    pub async fn status(&self) -> Result<BatchStatus, Error> {
        self.registration.ask(|| self.pin.batch_status(&self.batch_id)).await
    }

    /// The progress and the report of a file of the batch.
    ///
    /// # Errors
    /// As for [`status`](Self::status), about the file.
    pub async fn file(&self, data_id: &str) -> Result<Progress, Error> {
        self.registration.ask(|| self.pin.file_progress(data_id)).await
    }

    /// Closes the batch. The node refuses this while files are in progress; the request is repeated
    /// until the batch is closed. Whatever the node responds, the status of the batch decides: the
    /// vendor does not document how a node refuses.
    ///
    /// The batch is lost to this program if the future is dropped: take a [`ticket`](Self::ticket)
    /// before.
    ///
    /// # Errors
    /// The node is gone, does not close the batch within `result_timeout`, does not know it, denies
    /// access, or refuses although no file is in progress. The node is also gone if it has owed a
    /// response for `outage_timeout` at the end of `result_timeout`.
    pub async fn close(self) -> Result<ClosedBatch, CloseError> {
        match self.close_when_processed().await {
            Ok(()) => Ok(ClosedBatch::closed(self.pin, self.batch_id)),
            Err(error) => Err(CloseError { batch: self, error }),
        }
    }

    async fn close_when_processed(&self) -> Result<(), Error> {
        let deadline = deadline_in(self.pin.options().result_timeout);
        let mut polls = Backoff::until(deadline, POLL_DELAYS);
        // Starts when all files are processed: a node may need a moment after the last file.
        let mut grace: Option<Backoff> = None;
        // Pages before this one have only processed files.
        let mut first = 0;
        loop {
            let refusal = match self.pin.by_deadline(deadline, &self.batch_id, self.request_close()).await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    self.pin.invalid_response(Some(&self.batch_id), "it accepts to close the batch and does not")
                }
                Err(error) if error.ends_session() => return Err(error),
                Err(error) => error,
            };
            let progress = match self.progress_from(&mut first, deadline).await? {
                BatchProgress::Closed => return Ok(()),
                progress => progress,
            };
            let is_processed = matches!(progress, BatchProgress::Processed);
            let backoff = if is_processed {
                grace.get_or_insert_with(|| Backoff::within(self.pin.options().outage_timeout, POLL_DELAYS))
            } else {
                &mut polls
            };
            if !backoff.wait().await {
                return Err(if is_processed { refusal } else { self.pin.result_timeout(&self.batch_id) });
            }
        }
    }

    async fn request_close(&self) -> Result<bool, Error> {
        self.registration.ask(|| self.pin.close_batch(&self.batch_id)).await
    }

    /// How far the files are, from the page on that begins with the file `first`. Then, `first` is
    /// the start of the first page with a file in progress.
    async fn progress_from(&self, first: &mut usize, deadline: Instant) -> Result<BatchProgress, Error> {
        loop {
            let page = self.pin.by_deadline(deadline, &self.batch_id, self.pin.batch_page(&self.batch_id, *first));
            let BatchPage { status, next, .. } = match page.await {
                // The scans continue although the node does not serve the poll.
                Err(Error::NodeBusy { .. }) => return Ok(BatchProgress::InProgress),
                page => page?,
            };
            if status.is_closed {
                return Ok(BatchProgress::Closed);
            }
            if !status.files.iter().all(FileStatus::is_processed) {
                return Ok(BatchProgress::InProgress);
            }
            match next {
                Some(next) => *first = next,
                None => return Ok(BatchProgress::Processed),
            }
        }
    }

    /// Cancels the batch and the scans of its files. If the future is dropped, or this fails, the
    /// batch is lost to this program: take a [`ticket`](Self::ticket) before.
    ///
    /// # Errors
    /// The node is gone, does not know the batch, or refuses.
    pub async fn cancel(self) -> Result<(), Error> {
        self.pin.cancel_batch(&self.batch_id).await
    }
}

impl ClosedBatch {
    /// A batch that has just been closed.
    fn closed(pin: Pin, batch_id: String) -> Self {
        Self { pin, batch_id, registration: Registration::started() }
    }

    /// A batch that was closed before.
    pub(crate) fn resumed(pin: Pin, batch_id: String) -> Self {
        Self { pin, batch_id, registration: Registration::complete() }
    }

    /// The node.
    pub fn node(&self) -> SocketAddr {
        self.pin.node()
    }

    /// The identifier that the node gave to the batch.
    pub fn batch_id(&self) -> &str {
        &self.batch_id
    }

    /// The ticket with which another process reads the results.
    pub fn ticket(&self) -> Ticket {
        self.pin.ticket(SessionKind::ClosedBatch, &self.batch_id)
    }

    /// The results of the batch. They have no verdict per file; [`file`](Self::file) has.
    ///
    /// # Errors
    /// As for [`OpenBatch::status`].
    pub async fn results(&self) -> Result<BatchStatus, Error> {
        self.registration.ask(|| self.pin.batch_status(&self.batch_id)).await
    }

    /// The progress and the report of a file of the batch.
    ///
    /// # Errors
    /// As for [`OpenBatch::status`], about the file.
    pub async fn file(&self, data_id: &str) -> Result<Progress, Error> {
        self.registration.ask(|| self.pin.file_progress(data_id)).await
    }

    /// The signed results: a text that includes a signature and a certificate.
    ///
    /// # Errors
    /// As for [`OpenBatch::status`]; or the node has no signed results: [`Error::NotSigned`].
    pub async fn signed_result(&self) -> Result<String, Error> {
        self.pin.batch_certificate(&self.batch_id).await
    }
}
