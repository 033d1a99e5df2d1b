//! The session of a single file: its node is polled until there is a report.
//!
//! `Cluster::scan` and `Cluster::scan_to_end` start it, and `Cluster::resume` continues it. It
//! fails if the node is gone, does not know the file, or has no report within `result_timeout`.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::backoff::{Backoff, POLL_DELAYS, deadline_in};
use crate::error::Error;
use crate::pin::Pin;
use crate::report::{Progress, Report};
use crate::sanitized::SanitizedFile;
use crate::ticket::{SessionKind, Ticket};

/// The poll at the deadline gets this much time.
const LAST_POLL: Duration = Duration::from_secs(1);

/// Nodes may need this time until they know a file that they have accepted.
const REGISTRATION: Duration = Duration::from_secs(2);

/// A file whose scan has started at a node.
#[derive(Debug)]
pub struct FileScan {
    pin: Pin,
    data_id: String,
    /// Until then, the node may not know the file yet.
    known_from: Instant,
}

impl FileScan {
    /// The scan of a file that has just been sent.
    pub(crate) fn started(pin: Pin, data_id: String) -> Self {
        Self { pin, data_id, known_from: Instant::now() + REGISTRATION }
    }

    /// The scan of a file that was sent before.
    pub(crate) fn resumed(pin: Pin, data_id: String) -> Self {
        Self { pin, data_id, known_from: Instant::now() }
    }

    /// The node.
    pub fn node(&self) -> SocketAddr {
        self.pin.node()
    }

    /// The identifier that the node gave to the file.
    pub fn data_id(&self) -> &str {
        &self.data_id
    }

    /// The ticket with which another process resumes this session.
    pub fn ticket(&self) -> Ticket {
        self.pin.ticket(SessionKind::File, &self.data_id)
    }

    /// Cancels the scan. A scan that has ended keeps its result.
    ///
    /// # Errors
    /// The node is gone, or does not know the file.
    pub async fn cancel(&self) -> Result<(), Error> {
        self.pin.cancel_file(&self.data_id).await
    }

    /// Downloads the sanitized file, which the node made if its rule says so.
    ///
    /// # Errors
    /// The node is gone, or has no sanitized file: [`Error::NotSanitized`].
    pub async fn sanitized(&self) -> Result<SanitizedFile, Error> {
        self.pin.converted(&self.data_id).await
    }

    /// Asks the node once for the progress of the scan.
    ///
    /// # Errors
    /// The node is gone, or does not know the file.
    pub async fn progress(&self) -> Result<Progress, Error> {
        self.pin.file_progress(&self.data_id).await
    }

    /// Polls the node until the scan has ended, with growing delays.
    ///
    /// # Errors
    /// The node is gone, does not know the file, or has no report within `result_timeout`.
    pub async fn result(&self) -> Result<Report, Error> {
        self.result_with_progress(|_| {}).await
    }

    /// As [`result`](Self::result), but calls `on_progress` with the progress in percent after each
    /// poll.
    ///
    /// # Errors
    /// As for [`result`](Self::result).
    pub async fn result_with_progress(&self, mut on_progress: impl FnMut(u8)) -> Result<Report, Error> {
        let timeout = self.pin.options().result_timeout;
        let deadline = deadline_in(timeout);
        let mut polls = Backoff::until(deadline, POLL_DELAYS);
        loop {
            match timeout_at(deadline.max(Instant::now() + LAST_POLL), self.progress()).await {
                Ok(Ok(Progress { report: Some(report), .. })) => return Ok(report),
                Ok(Ok(Progress { percent, .. })) => on_progress(percent),
                // The scan continues although the node does not serve the poll.
                Ok(Err(Error::NodeBusy { .. })) => {}
                Ok(Err(Error::UnknownSession(_))) if Instant::now() < self.known_from => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(self.result_timeout()),
            }
            if !polls.wait().await {
                return Err(self.result_timeout());
            }
        }
    }

    fn result_timeout(&self) -> Error {
        let timeout = self.pin.options().result_timeout;
        Error::ResultTimeout { session: self.pin.session(Some(&self.data_id)), timeout }
    }
}
