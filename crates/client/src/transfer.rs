//! One HTTP request and its response, for as long as data moves.
//!
//! No total timeout applies to requests, because large uploads take long. A stall timeout applies,
//! and the size and the duration of a response are limited. Both functions fail with a
//! [`TransferError`], which says whether the node may have seen the request.

use std::error::Error as StdError;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::{RequestBuilder, Response};
use tokio::time::{Instant, timeout, timeout_at};

use crate::backoff::deadline_in;
use crate::skip::SkipReason;

/// Longest accepted JSON, in bytes. A page of a batch and a report have some 10 KB.
const MAX_JSON: usize = 4 << 20;

/// Longest accepted text that is not parsed, in bytes: the signed result of a large batch.
const MAX_TEXT: usize = 64 << 20;

/// Time between two looks at the progress of an upload.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// What is expected of a response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ResponseKind {
    /// A small JSON object, complete within the stall timeout.
    Json,
    /// A text of at most `MAX_TEXT` bytes. The stall timeout limits each gap between its parts.
    Text,
}

/// Why a request got no complete response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    /// No connection was established, so the node has not seen the request.
    #[error("{0}")]
    NotConnected(SkipReason),
    /// The connection broke; the node may have seen the request.
    #[error("{0}")]
    Broken(String),
    /// The response is not HTTP.
    #[error("the response is not HTTP: {0}")]
    NotHttp(String),
    /// No data moved for this long; the node may have seen the request.
    #[error("no data was transferred for {0:?}")]
    Stalled(Duration),
    /// The response was not complete within this time.
    #[error("the response was not complete after {0:?}")]
    TooSlow(Duration),
    /// The response exceeds this number of bytes.
    #[error("the response is longer than {0} bytes")]
    TooLong(usize),
}

/// Sends a request and returns the response without its body. `bytes_sent` counts the bytes of the
/// request's body that have been sent, so that an upload that moves is not taken for a stalled one.
pub(crate) async fn send(
    request: RequestBuilder,
    bytes_sent: &AtomicU64,
    stall_timeout: Duration,
) -> Result<Response, TransferError> {
    let mut sending = std::pin::pin!(request.send());
    let (mut sent_before, mut moved) = (0, Instant::now());
    loop {
        match timeout(PROGRESS_INTERVAL.min(stall_timeout), &mut sending).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(error)) => return Err(failure(&error)),
            Err(_) => {
                let sent = bytes_sent.load(Ordering::Relaxed);
                if sent != sent_before {
                    (sent_before, moved) = (sent, Instant::now());
                } else if moved.elapsed() >= stall_timeout {
                    return Err(TransferError::Stalled(stall_timeout));
                }
            }
        }
    }
}

/// Reads the body of a response as text.
pub(crate) async fn read_text(
    mut response: Response,
    kind: ResponseKind,
    stall_timeout: Duration,
) -> Result<String, TransferError> {
    let max = match kind {
        ResponseKind::Json => MAX_JSON,
        ResponseKind::Text => MAX_TEXT,
    };
    let mut bytes = Vec::new();
    let mut ends = deadline_in(stall_timeout);
    loop {
        match timeout_at(ends, response.chunk()).await {
            Ok(Ok(Some(chunk))) if bytes.len() + chunk.len() <= max => bytes.extend_from_slice(&chunk),
            Ok(Ok(Some(_))) => return Err(TransferError::TooLong(max)),
            Ok(Ok(None)) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Ok(Err(error)) => return Err(failure(&error)),
            Err(_) => return Err(TransferError::TooSlow(stall_timeout)),
        }
        if kind == ResponseKind::Text {
            ends = deadline_in(stall_timeout);
        }
    }
}

/// Reads the next chunk of a response; `None` at its end.
pub(crate) async fn read_chunk(
    response: &mut Response,
    stall_timeout: Duration,
) -> Result<Option<Bytes>, TransferError> {
    match timeout(stall_timeout, response.chunk()).await {
        Ok(chunk) => chunk.map_err(|error| failure(&error)),
        Err(_) => Err(TransferError::Stalled(stall_timeout)),
    }
}

/// What an error of reqwest says about the connection.
fn failure(error: &reqwest::Error) -> TransferError {
    let text = innermost(error).to_string();
    match tls_failure(error) {
        Some(rustls::Error::InvalidCertificate(_)) => {
            TransferError::NotConnected(SkipReason::CertificateMismatch(text))
        }
        Some(_) if error.is_connect() => TransferError::NotConnected(SkipReason::ProtocolMismatch(text)),
        _ if error.is_connect() => TransferError::NotConnected(SkipReason::Unreachable(text)),
        _ if is_not_http(error) => TransferError::NotHttp(text),
        _ => TransferError::Broken(text),
    }
}

/// The last error of a chain of sources; it describes the cause.
fn innermost<'e>(error: &'e (dyn StdError + 'static)) -> &'e (dyn StdError + 'static) {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}

/// The error of rustls in a chain of sources.
fn tls_failure<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e rustls::Error> {
    // `io::Error::source` skips the error that it wraps, so that one is searched as well.
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error
        .downcast_ref()
        .or_else(|| wrapped.and_then(|wrapped| tls_failure(wrapped)))
        .or_else(|| error.source().and_then(tls_failure))
}

/// Returns true if hyper could not parse the response.
fn is_not_http(error: &(dyn StdError + 'static)) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) || error.source().is_some_and(is_not_http)
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError;

    use super::*;

    #[test]
    fn an_error_of_tls_is_found_inside_io_errors() {
        let rejected = rustls::Error::InvalidCertificate(CertificateError::NotValidForName);
        assert_eq!(tls_failure(&io::Error::other(io::Error::other(rejected.clone()))), Some(&rejected));
        assert_eq!(tls_failure(&rustls::Error::DecryptError), Some(&rustls::Error::DecryptError));
        assert_eq!(tls_failure(&io::Error::from(io::ErrorKind::ConnectionRefused)), None);
    }
}
