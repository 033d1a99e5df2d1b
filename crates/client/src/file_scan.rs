//! A single file: sent, asked about, done.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};

use super::backoff::Backoff;
use super::error::Error;
use super::exchange::Headers;
use super::pin::Pin;
use super::report::{self, Progress, Report};
use super::source::Source;
use super::ticket::{Kind, Ticket};

/// First wait between two questions, and the longest.
pub(super) const POLLS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A file whose scan has begun at one node.
#[derive(Debug)]
pub struct FileScan {
    pin: Pin,
    data_id: String,
}

impl FileScan {
    pub(super) fn new(pin: Pin, data_id: String) -> Self {
        Self { pin, data_id }
    }

    /// The node.
    pub fn node(&self) -> SocketAddr {
        self.pin.node()
    }

    /// The node's name for the file.
    pub fn data_id(&self) -> &str {
        &self.data_id
    }

    /// What another process needs to go on.
    pub fn ticket(&self) -> Ticket {
        Ticket::of(Kind::File, &self.pin, &self.data_id)
    }

    /// How far it is.
    ///
    /// # Errors
    /// The node is gone, or does not know the file.
    pub async fn progress(&self) -> Result<Progress, Error> {
        progress(&self.pin, &self.data_id).await
    }

    /// Waits for the result; it is asked for seldomer and seldomer.
    ///
    /// # Errors
    /// The node is gone, does not know the file, or has no result in time.
    pub async fn result(&self) -> Result<Report, Error> {
        self.result_watched(|_| {}).await
    }

    /// The same, with a look at how far it is, in percent, whenever that is known.
    ///
    /// # Errors
    /// As of [`result`](Self::result).
    pub async fn result_watched(&self, mut watch: impl FnMut(u8)) -> Result<Report, Error> {
        let after = self.pin.options().result_timeout;
        let mut polls = Backoff::within(after, POLLS);
        loop {
            match self.progress().await {
                Ok(Progress { report: Some(report), .. }) => return Ok(report),
                Ok(Progress { percent, .. }) => watch(percent),
                // The scan goes on all the same.
                Err(Error::TooBusy { .. }) => {}
                Err(error) => return Err(error),
            }
            if !polls.wait().await {
                return Err(Error::TooLong { at: self.pin.at(Some(&self.data_id)), after });
            }
        }
    }
}

/// How far a file is at its node, be it alone or in a batch.
pub(super) async fn progress(pin: &Pin, data_id: &str) -> Result<Progress, Error> {
    let json = pin.ask(Method::GET, &format!("/file/{data_id}"), data_id).await?;
    report::progress(pin.node(), data_id, json).map_err(|why| pin.odd(Some(data_id), why))
}

/// Headers of an upload.
pub(super) fn headers(source: &Source) -> Headers {
    // Names that cannot stand in a header are percent-encoded.
    let name: String = source.name().bytes().map(header_char).collect();
    let name = HeaderValue::from_str(&name).ok().filter(|name| !name.is_empty());
    name.map(|name| vec![(HeaderName::from_static("filename"), name)]).unwrap_or_default()
}

/// A byte as a header may hold it.
fn header_char(byte: u8) -> String {
    if byte.is_ascii_graphic() && byte != b'%' || byte == b' ' {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}
