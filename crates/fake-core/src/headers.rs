//! Texts in the headers of requests.

use axum::http::HeaderMap;

/// The text of a header as it was sent; `None` if it is missing or empty.
pub(crate) fn as_sent(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name).filter(|value| !value.is_empty())?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
