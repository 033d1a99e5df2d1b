//! Texts in the headers of requests.

use axum::http::HeaderMap;
use percent_encoding::percent_decode_str;

/// The text of a header as it was sent; `None` if it is missing or empty.
pub(crate) fn as_sent(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name).filter(|value| !value.is_empty())?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The text of a header that clients may send URL-encoded.
pub(crate) fn decoded(headers: &HeaderMap, name: &str) -> Option<String> {
    as_sent(headers, name).map(|text| url_decoded(&text))
}

/// Decodes `%20` and the like.
pub(crate) fn url_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
