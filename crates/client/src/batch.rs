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

use crate::backoff::{Backoff, POLL_DELAYS, deadline_in};
use crate::error::Error;
use crate::pin::Pin;
use crate::report::{BatchStatus, FileStatus, Progress};
use crate::source::Source;
use crate::ticket::{SessionKind, Ticket};

/// A batch that accepts files.
#[derive(Debug)]
pub struct OpenBatch {
    pin: Pin,
    batch_id: String,
}

/// A batch that is closed.
#[derive(Debug)]
pub struct ClosedBatch {
    pin: Pin,
    batch_id: String,
}

/// A batch was not closed. It is still open, and can be closed later or cancelled.
#[derive(Debug, thiserror::Error)]
#[error("the batch could not be closed: {error}")]
pub struct CloseError {
    /// The batch.
    pub batch: OpenBatch,
    /// Why it was not closed.
    #[source]
    pub error: Error,
}

impl From<CloseError> for Error {
    fn from(close: CloseError) -> Self {
        close.error
    }
}

impl OpenBatch {
    pub(crate) fn new(pin: Pin, batch_id: String) -> Self {
        Self { pin, batch_id }
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
    /// The node is gone, breaks the connection during each upload, refuses the file, or is busy for
    /// too long.
    pub async fn send(&self, source: &mut Source) -> Result<String, Error> {
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
    pub async fn send_all(
        &self,
        sources: impl IntoIterator<Item = Source>,
        concurrency: usize,
    ) -> Vec<Result<String, Error>> {
        let sending = sources.into_iter().map(|mut source| async move { self.send(&mut source).await });
        stream::iter(sending).buffered(concurrency.max(1)).collect().await
    }

    /// Asks the node once for the status of the batch.
    ///
    /// # Errors
    /// The node is gone, or does not know the batch.
    pub async fn status(&self) -> Result<BatchStatus, Error> {
        self.pin.batch_status(&self.batch_id).await
    }

    /// The progress and the report of a file of the batch.
    ///
    /// # Errors
    /// The node is gone, or does not know the file.
    pub async fn file(&self, data_id: &str) -> Result<Progress, Error> {
        self.pin.file_progress(data_id).await
    }

    /// Closes the batch. The node refuses this while files are in progress; the request is repeated
    /// until the node accepts it.
    ///
    /// # Errors
    /// The node is gone, does not accept within `result_timeout`, or refuses although no file is in
    /// progress.
    pub async fn close(self) -> Result<ClosedBatch, CloseError> {
        match self.close_when_processed().await {
            Ok(()) => Ok(ClosedBatch { pin: self.pin, batch_id: self.batch_id }),
            Err(error) => Err(CloseError { batch: self, error }),
        }
    }

    async fn close_when_processed(&self) -> Result<(), Error> {
        let timeout = self.pin.options().result_timeout;
        let closed = tokio::time::timeout_at(deadline_in(timeout), self.try_to_close()).await;
        closed
            .unwrap_or_else(|_| Err(Error::ResultTimeout { session: self.pin.session(Some(&self.batch_id)), timeout }))
    }

    async fn try_to_close(&self) -> Result<(), Error> {
        let timeout = self.pin.options().result_timeout;
        let mut polls = Backoff::within(timeout, POLL_DELAYS);
        // Starts when all files are processed: a node may need a moment after the last file.
        let mut grace: Option<Backoff> = None;
        // Pages before this one have only processed files.
        let mut first = 0;
        loop {
            let error = match self.pin.close_batch(&self.batch_id).await {
                Ok(()) => return Ok(()),
                // The vendor does not document the status of this refusal.
                Err(error) if error.is_refusal() => error,
                Err(error) => return Err(error),
            };
            let is_processed = loop {
                let page = self.pin.batch_page(&self.batch_id, first).await?;
                if page.status.is_closed {
                    // An earlier request closed it, and the response was lost.
                    return Ok(());
                }
                if !page.status.files.iter().all(FileStatus::is_processed) {
                    break false;
                }
                match page.next {
                    Some(next) => first = next,
                    None => break true,
                }
            };
            let backoff = if is_processed {
                grace.get_or_insert_with(|| Backoff::within(self.pin.options().outage_timeout, POLL_DELAYS))
            } else {
                &mut polls
            };
            if !backoff.wait().await {
                let session = self.pin.session(Some(&self.batch_id));
                return Err(if is_processed { error } else { Error::ResultTimeout { session, timeout } });
            }
        }
    }

    /// Cancels the batch and the scans of its files.
    ///
    /// # Errors
    /// The node is gone, or does not know the batch.
    pub async fn cancel(self) -> Result<(), Error> {
        self.pin.cancel_batch(&self.batch_id).await
    }
}

impl ClosedBatch {
    pub(crate) fn new(pin: Pin, batch_id: String) -> Self {
        Self { pin, batch_id }
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
    /// The node is gone, or does not know the batch.
    pub async fn results(&self) -> Result<BatchStatus, Error> {
        self.pin.batch_status(&self.batch_id).await
    }

    /// The progress and the report of a file of the batch.
    ///
    /// # Errors
    /// The node is gone, or does not know the file.
    pub async fn file(&self, data_id: &str) -> Result<Progress, Error> {
        self.pin.file_progress(data_id).await
    }

    /// The signed results: a text that includes a signature and a certificate.
    ///
    /// # Errors
    /// The node is gone, or does not know the batch.
    pub async fn signed_result(&self) -> Result<String, Error> {
        self.pin.batch_certificate(&self.batch_id).await
    }
}
