//! The session of a single file: its node is polled until there is a report.
//!
//! `Cluster::scan` and `Cluster::scan_to_end` start it, and `Cluster::resume` continues it. It
//! fails if the node is gone, does not know the file, or has no report within `result_timeout`.

use std::net::SocketAddr;

use crate::backoff::{Backoff, POLL_DELAYS};
use crate::error::Error;
use crate::pin::Pin;
use crate::report::{Progress, Report};
use crate::ticket::{SessionKind, Ticket};

/// A file whose scan has started at a node.
#[derive(Debug)]
pub struct FileScan {
    pin: Pin,
    data_id: String,
}

impl FileScan {
    pub(crate) fn new(pin: Pin, data_id: String) -> Self {
        Self { pin, data_id }
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
        let mut polls = Backoff::within(timeout, POLL_DELAYS);
        loop {
            match self.progress().await {
                Ok(Progress { report: Some(report), .. }) => return Ok(report),
                Ok(Progress { percent, .. }) => on_progress(percent),
                // The scan continues although the node does not serve the poll.
                Err(Error::NodeBusy { .. }) => {}
                Err(error) => return Err(error),
            }
            if !polls.wait().await {
                return Err(Error::ResultTimeout { session: self.pin.session(Some(&self.data_id)), timeout });
            }
        }
    }
}
