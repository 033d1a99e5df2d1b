//! A batch: opened, filled, closed, and then its results. What is closed takes no more files: there is no method for it.

use std::fmt;
use std::net::SocketAddr;

use futures_util::{StreamExt, stream};
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};

use super::backoff::Backoff;
use super::cluster::identifier;
use super::error::Error;
use super::file_scan::{POLLS, headers, progress};
use super::pin::Pin;
use super::report::{self, BatchStatus, FileStatus, Progress};
use super::source::Source;
use super::ticket::{Kind, Ticket};

/// A batch that takes files.
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

/// A batch could not be closed: it is as it was, and can be closed later or cancelled.
#[derive(Debug)]
pub struct NotClosed {
    /// The batch.
    pub batch: OpenBatch,
    /// Why not.
    pub error: Error,
}

impl fmt::Display for NotClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the batch could not be closed: {}", self.error)
    }
}

impl std::error::Error for NotClosed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<NotClosed> for Error {
    fn from(not_closed: NotClosed) -> Self {
        not_closed.error
    }
}

impl OpenBatch {
    pub(super) fn new(pin: Pin, batch_id: String) -> Self {
        Self { pin, batch_id }
    }

    /// The node.
    pub fn node(&self) -> SocketAddr {
        self.pin.node()
    }

    /// The node's name for the batch.
    pub fn batch_id(&self) -> &str {
        &self.batch_id
    }

    /// What another process needs to go on.
    pub fn ticket(&self) -> Ticket {
        Ticket::of(Kind::Batch, &self.pin, &self.batch_id)
    }

    /// Sends a file into the batch; gives the node's name for it. No other node knows the batch: when this one is too busy,
    /// it is asked again for as long as a search for a node may last (`deadline`), and for as long as an outage may when
    /// it cannot be reached. Several files may be sent at the same time.
    ///
    /// # Errors
    /// The node is gone, or what it says.
    pub async fn send(&self, source: &mut Source) -> Result<String, Error> {
        let mut headers = headers(source);
        let batch = HeaderValue::from_str(&self.batch_id);
        let batch = batch.map_err(|error| self.pin.odd(Some(&self.batch_id), error.to_string()))?;
        headers.push((HeaderName::from_static("batch"), batch));
        let (mut busy, mut outage) = (None, None);
        loop {
            let error = match self.pin.send("/file", source, &headers, &self.batch_id).await {
                Ok(answer) => {
                    return identifier(&answer, "data_id").map_err(|why| self.pin.odd(Some(&self.batch_id), why));
                }
                Err(error) if source.is_repeatable() => error,
                Err(error) => return Err(error),
            };
            let (waits, time) = match &error {
                Error::TooBusy { .. } => (&mut busy, self.pin.options().deadline),
                Error::NodeGone { .. } if !source.is_sent() => (&mut outage, self.pin.options().outage_timeout),
                _ => return Err(error),
            };
            if !waits.get_or_insert_with(|| Backoff::within(time, POLLS)).wait().await {
                return Err(error);
            }
        }
    }

    /// Sends files into the batch, `at_once` of them at a time (one at least). Gives what came of each, in their order: the
    /// node's name for it, or the error of [`send`](Self::send), which does not keep the others from being sent. When the
    /// future is dropped, nothing more is sent.
    pub async fn send_all(
        &self,
        sources: impl IntoIterator<Item = Source>,
        at_once: usize,
    ) -> Vec<Result<String, Error>> {
        let sending = sources.into_iter().map(|mut source| async move { self.send(&mut source).await });
        stream::iter(sending).buffered(at_once.max(1)).collect().await
    }

    /// How it stands.
    ///
    /// # Errors
    /// The node is gone, or does not know the batch.
    pub async fn status(&self) -> Result<BatchStatus, Error> {
        status(&self.pin, &self.batch_id).await
    }

    /// Closes it. The node refuses that while files are in progress; then it is asked again, until it accepts.
    ///
    /// # Errors
    /// The node is gone, has not accepted in time, or refuses although no file is in progress.
    pub async fn close(self) -> Result<ClosedBatch, NotClosed> {
        match self.closing().await {
            Ok(()) => Ok(ClosedBatch { pin: self.pin, batch_id: self.batch_id }),
            Err(error) => Err(NotClosed { batch: self, error }),
        }
    }

    async fn closing(&self) -> Result<(), Error> {
        let after = self.pin.options().result_timeout;
        let mut polls = Backoff::within(after, POLLS);
        let path = format!("/file/batch/{}/close", self.batch_id);
        // A node may need a moment after the last file.
        let mut grace: Option<Backoff> = None;
        loop {
            match self.pin.ask(Method::POST, &path, &self.batch_id).await {
                Ok(_) => return Ok(()),
                // Which code a refusal has is not written down.
                Err(error) if error.is_refusal() => {
                    let status = self.status().await?;
                    if status.is_closed {
                        // By a request whose answer was lost.
                        return Ok(());
                    }
                    let is_processed = status.files.iter().all(FileStatus::is_processed);
                    let waits = match (&mut grace, is_processed) {
                        (Some(grace), true) => grace,
                        (None, true) => grace.insert(Backoff::within(self.pin.options().outage_timeout, POLLS)),
                        (_, false) => &mut polls,
                    };
                    if !waits.wait().await {
                        let at = self.pin.at(Some(&self.batch_id));
                        return Err(if is_processed { error } else { Error::TooLong { at, after } });
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives it up, with all its files.
    ///
    /// # Errors
    /// The node is gone, or does not know the batch.
    pub async fn cancel(self) -> Result<(), Error> {
        let path = format!("/file/batch/{}/cancel", self.batch_id);
        self.pin.ask_text(Method::POST, &path, &self.batch_id).await.map(drop)
    }
}

impl ClosedBatch {
    pub(super) fn new(pin: Pin, batch_id: String) -> Self {
        Self { pin, batch_id }
    }

    /// The node.
    pub fn node(&self) -> SocketAddr {
        self.pin.node()
    }

    /// The node's name for the batch.
    pub fn batch_id(&self) -> &str {
        &self.batch_id
    }

    /// What another process needs to read its results.
    pub fn ticket(&self) -> Ticket {
        Ticket::of(Kind::ClosedBatch, &self.pin, &self.batch_id)
    }

    /// What was found.
    ///
    /// # Errors
    /// The node is gone, or does not know the batch.
    pub async fn results(&self) -> Result<BatchStatus, Error> {
        status(&self.pin, &self.batch_id).await
    }

    /// What was found in one of its files, by the node's name for it. The results of the batch have no verdict on each.
    ///
    /// # Errors
    /// The node is gone, or does not know the file.
    pub async fn file(&self, data_id: &str) -> Result<Progress, Error> {
        progress(&self.pin, data_id).await
    }

    /// The result as a text with signature and certificate.
    ///
    /// # Errors
    /// The node is gone, or does not know the batch.
    pub async fn signed_result(&self) -> Result<String, Error> {
        let path = format!("/file/batch/{}/certificate", self.batch_id);
        self.pin.ask_text(Method::GET, &path, &self.batch_id).await
    }
}

async fn status(pin: &Pin, batch_id: &str) -> Result<BatchStatus, Error> {
    let json = pin.ask(Method::GET, &format!("/file/batch/{batch_id}"), batch_id).await?;
    report::batch_status(json).map_err(|why| pin.odd(Some(batch_id), why))
}
