//! The session of a single file: its node is polled until there is a report.
//!
//! `Cluster::scan` and `Cluster::scan_to_end` start it, and `Cluster::resume` continues it. It
//! fails if the node is gone, does not know the file, or has no report within `result_timeout`.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::{Backoff, POLL_DELAYS, deadline_in};
use crate::error::Error;
use crate::pin::Pin;
use crate::registration::Registration;
use crate::report::{Progress, Report};
use crate::sanitized::SanitizedFile;
use crate::ticket::{SessionKind, Ticket};

/// The poll at the deadline gets this much time.
const LAST_POLL: Duration = Duration::from_secs(1);

/// A file whose scan has started at a node.
#[derive(Debug)]
pub struct FileScan {
    pin: Pin,
    data_id: String,
    registration: Registration,
}

impl FileScan {
    /// The scan of a file that has just been sent.
    pub(crate) fn started(pin: Pin, data_id: String) -> Self {
        Self { pin, data_id, registration: Registration::started() }
    }

    /// The scan of a file that was sent before.
    pub(crate) fn resumed(pin: Pin, data_id: String) -> Self {
        Self { pin, data_id, registration: Registration::complete() }
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
    /// The node is gone, does not know the file, or refuses.
    pub async fn cancel(&self) -> Result<(), Error> {
        self.pin.cancel_file(&self.data_id).await
    }

    /// Downloads the sanitized file, which the node made if its rule says so;
    /// [`Report::is_sanitized`] tells whether it did.
    ///
    /// # Errors
    /// The node is gone, refuses, or has no sanitized file: [`Error::NotSanitized`].
    pub async fn sanitized(&self) -> Result<SanitizedFile, Error> {
        self.pin.converted(&self.data_id).await
    }

    /// Asks the node once for the progress of the scan.
    ///
    /// # Errors
    /// The node is gone, does not know the file (right after
    /// [`Cluster::scan`](crate::Cluster::scan), it may need a moment), is too busy, refuses (403),
    /// fails (5xx) for `outage_timeout`, or sends an invalid response.
    pub async fn progress(&self) -> Result<Progress, Error> {
        self.pin.file_progress(&self.data_id).await
    }

    /// Polls the node until the scan has ended, with growing delays.
    ///
    /// # Errors
    /// There is no report within `result_timeout`, or a poll fails as [`progress`](Self::progress)
    /// does, other than because the node is busy. The node is also gone if it has owed a response
    /// for `outage_timeout` at the end of `result_timeout`.
    pub async fn result(&self) -> Result<Report, Error> {
        self.result_with_progress(|_| {}).await
    }

    /// As [`result`](Self::result), but calls `on_progress` with the progress in percent after each
    /// poll.
    ///
    /// # Errors
    /// As for [`result`](Self::result).
    pub async fn result_with_progress(&self, mut on_progress: impl FnMut(u8)) -> Result<Report, Error> {
        let deadline = deadline_in(self.pin.options().result_timeout);
        let mut polls = Backoff::until(deadline, POLL_DELAYS);
        loop {
            let poll_deadline = deadline.max(Instant::now() + LAST_POLL);
            match self.pin.by_deadline(poll_deadline, &self.data_id, self.progress()).await {
                Ok(Progress { report: Some(report), .. }) => return Ok(report),
                Ok(Progress { percent, .. }) => on_progress(percent),
                // The scan continues although the node does not serve the poll.
                Err(Error::NodeBusy { .. }) => {}
                Err(Error::UnknownSession(_)) if self.registration.is_pending() => {}
                Err(error) => return Err(error),
            }
            if !polls.wait().await {
                return Err(self.pin.result_timeout(&self.data_id));
            }
        }
    }
}
