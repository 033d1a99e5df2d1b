//! A sanitized file while it is downloaded.
//!
//! [`FileScan::sanitized`](crate::FileScan::sanitized) starts the download; the caller reads the
//! chunks. A download fails if the node is gone, or sends nothing for the stall timeout.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;

use crate::error::{Error, SessionRef};
use crate::transfer;

/// A sanitized file: a copy without active content. At most one chunk of it is in memory.
#[derive(Debug)]
pub struct SanitizedFile {
    response: Response,
    session: SessionRef,
    stall_timeout: Duration,
}

impl SanitizedFile {
    pub(crate) fn new(response: Response, session: SessionRef, stall_timeout: Duration) -> Self {
        Self { response, session, stall_timeout }
    }

    /// Its length in bytes, if the node says so.
    pub fn length(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// The next chunk; `None` at the end of the file.
    ///
    /// # Errors
    /// The connection broke before the end of the file, or nothing arrived for `stall_timeout`.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let chunk = transfer::read_chunk(&mut self.response, self.stall_timeout).await;
        chunk.map_err(|error| Error::NodeGone { session: self.session.clone(), reason: error.to_string() })
    }
}
