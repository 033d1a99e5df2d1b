//! One HTTP request and its response, for as long as data moves.
//!
//! No total timeout applies, because large uploads take long; a stall timeout and a bound on the
//! response do. Both functions fail with a [`TransferError`], which says whether the node may have
//! seen the request.

use std::error::Error as StdError;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::{RequestBuilder, Response};
use tokio::time::timeout;

use crate::skip::SkipReason;

/// Longest accepted response in bytes. The status of a batch of 100,000 files takes about 20 MB.
const MAX_RESPONSE: usize = 64 << 20;

/// Why a request got no complete response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    /// No connection was established, so the node has not seen the request.
    #[error("{0}")]
    NotConnected(SkipReason),
    /// The connection broke; the node may have seen the request.
    #[error("{0}")]
    Broken(String),
    /// No data moved for this long; the node may have seen the request.
    #[error("no data was transferred for {0:?}")]
    Stalled(Duration),
    /// The response exceeds `MAX_RESPONSE`.
    #[error("the response is longer than {MAX_RESPONSE} bytes")]
    TooLong,
}

/// Sends a request and returns the response without its body. `bytes_sent` counts the bytes of the
/// request's body that have been sent, so that an upload that moves is not taken for a stalled one.
pub(crate) async fn send(
    request: RequestBuilder,
    bytes_sent: &AtomicU64,
    stall_timeout: Duration,
) -> Result<Response, TransferError> {
    let mut sending = std::pin::pin!(request.send());
    let mut previously_sent = 0;
    loop {
        match timeout(stall_timeout, &mut sending).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(error)) if error.is_connect() => return Err(TransferError::NotConnected(skip_reason(&error))),
            Ok(Err(error)) => return Err(TransferError::Broken(innermost(&error).to_string())),
            Err(_) => {
                let sent = bytes_sent.load(Ordering::Relaxed);
                if sent == previously_sent {
                    return Err(TransferError::Stalled(stall_timeout));
                }
                previously_sent = sent;
            }
        }
    }
}

/// Reads the body of a response as text.
pub(crate) async fn read_text(mut response: Response, stall_timeout: Duration) -> Result<String, TransferError> {
    let mut bytes = Vec::new();
    loop {
        match timeout(stall_timeout, response.chunk()).await {
            Ok(Ok(Some(chunk))) if bytes.len() + chunk.len() <= MAX_RESPONSE => bytes.extend_from_slice(&chunk),
            Ok(Ok(Some(_))) => return Err(TransferError::TooLong),
            Ok(Ok(None)) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Ok(Err(error)) => return Err(TransferError::Broken(innermost(&error).to_string())),
            Err(_) => return Err(TransferError::Stalled(stall_timeout)),
        }
    }
}

/// Why no connection was established. A wrong certificate is a reason of its own: a later attempt
/// would find the same.
fn skip_reason(error: &reqwest::Error) -> SkipReason {
    let text = innermost(error).to_string();
    if is_certificate_error(error) { SkipReason::CertificateMismatch(text) } else { SkipReason::Unreachable(text) }
}

/// The last error of a chain of sources; it describes the cause.
fn innermost<'e>(error: &'e (dyn StdError + 'static)) -> &'e (dyn StdError + 'static) {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}

/// Returns true if rustls rejected the certificate of the node.
fn is_certificate_error(error: &(dyn StdError + 'static)) -> bool {
    // `io::Error::source` skips the error that it wraps, so that one is checked as well.
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)))
        || wrapped.is_some_and(|wrapped| is_certificate_error(wrapped))
        || error.source().is_some_and(is_certificate_error)
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError;

    use super::*;

    #[test]
    fn a_certificate_error_is_found_inside_io_errors() {
        let rejected = rustls::Error::InvalidCertificate(CertificateError::NotValidForName);
        assert!(is_certificate_error(&io::Error::other(io::Error::other(rejected))));
        assert!(!is_certificate_error(&io::Error::other(rustls::Error::DecryptError)));
        assert!(!is_certificate_error(&io::Error::from(io::ErrorKind::ConnectionRefused)));
    }
}
