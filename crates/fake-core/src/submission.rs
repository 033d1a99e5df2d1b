//! What the headers of an upload say, and why a node refuses it because of them.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use serde_json::Value;

use crate::headers::{as_sent, decoded, url_decoded};
use crate::response::error_response;
use crate::rules::Rule;

// Texts of Core nodes.
pub(crate) const NO_RULE: &str = "No available rule is present for scanning.";
const TOO_LARGE: &str = "Failed to request scan. File size exceeded the maximum size permitted by your configuration.";
const BODY_AND_LINK: &str = "Both body data and download link were given.";
const BODY_AND_PATH: &str = "Both body data and local file path were given.";
pub(crate) const NO_CALLBACK: &str = "Callback url is invalid.";

/// The headers of an upload.
#[derive(Debug)]
pub(crate) struct Submission {
    /// The header `filename` as it was sent: real nodes do not decode it.
    pub(crate) name: String,
    pub(crate) rule: &'static Rule,
    pub(crate) user_agent: String,
    /// The header `metadata`: JSON, or else its text.
    pub(crate) metadata: Option<Value>,
    /// The file is an encrypted archive, and no password was sent.
    pub(crate) is_locked: bool,
    /// Where the result is sent.
    pub(crate) callback: Option<Uri>,
}

impl Submission {
    /// Reads the headers. `default` is the rule of the batch.
    ///
    /// # Errors
    /// The response of a node that refuses the upload.
    pub(crate) fn read(headers: &HeaderMap, default: Option<&'static Rule>) -> Result<Self, Box<Response>> {
        let refused = |status, message| Err(Box::new(error_response(status, message)));
        let Ok(callback) = callback_url(headers) else { return refused(StatusCode::BAD_REQUEST, NO_CALLBACK) };
        let Some(rule) = Rule::named(headers, default) else {
            return refused(StatusCode::INTERNAL_SERVER_ERROR, NO_RULE);
        };
        let length = as_sent(headers, header::CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<u64>().ok());
        if length.is_some_and(|length| length > rule.max_file_size) {
            return refused(StatusCode::INTERNAL_SERVER_ERROR, TOO_LARGE);
        }
        for (name, message) in [("downloadfrom", BODY_AND_LINK), ("filepath", BODY_AND_PATH)] {
            if headers.contains_key(name) && length != Some(0) {
                return refused(StatusCode::BAD_REQUEST, message);
            }
        }
        let name = as_sent(headers, "filename").unwrap_or_else(|| "unknown".to_owned());
        let is_encrypted = url_decoded(&name).contains("encrypted");
        Ok(Self {
            rule,
            user_agent: decoded(headers, "user_agent").unwrap_or_default(),
            metadata: decoded(headers, "metadata")
                .map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))),
            is_locked: is_encrypted && !has_password(headers),
            callback,
            name,
        })
    }
}

/// Returns true for a header `archivepwd`, `archivepwd1`, `archivepwd2` and so on that is not
/// empty.
fn has_password(headers: &HeaderMap) -> bool {
    headers.iter().any(|(name, value)| {
        let number = name.as_str().strip_prefix("archivepwd");
        number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) && !value.is_empty()
    })
}

/// The URL in the header `callbackurl`, if there is one.
///
/// # Errors
/// It is not an HTTP URL.
pub(crate) fn callback_url(headers: &HeaderMap) -> Result<Option<Uri>, ()> {
    let Some(url) = headers.get("callbackurl") else { return Ok(None) };
    let url = Uri::try_from(url.as_bytes()).map_err(drop)?;
    let is_http = matches!(url.scheme_str(), Some("http" | "https"));
    if is_http && url.authority().is_some_and(is_complete) { Ok(Some(url)) } else { Err(()) }
}

/// Returns true for a host, with or without a port that exists.
fn is_complete(authority: &Authority) -> bool {
    let lacks_port = || authority.as_str().ends_with(authority.host());
    !authority.host().is_empty() && (authority.port_u16().is_some() || lacks_port())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(headers: &[(&'static str, &'static str)]) -> Result<Submission, StatusCode> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Submission::read(&HeaderMap::from_iter(headers), None).map_err(|response| response.status())
    }

    #[test]
    fn a_password_opens_an_encrypted_archive() {
        let is_locked = |headers: &[_]| read(headers).unwrap().is_locked;
        assert!(!is_locked(&[("filename", "a.zip")]));
        assert!(is_locked(&[("filename", "%65ncrypted.zip")]));
        assert!(is_locked(&[("filename", "encrypted.zip"), ("archivepwd", ""), ("archivepwdx", "secret")]));
        assert!(!is_locked(&[("filename", "encrypted.zip"), ("archivepwd2", "secret")]));
    }

    #[test]
    fn metadata_is_json_or_text() {
        let metadata = |text| read(&[("metadata", text)]).unwrap().metadata;
        assert_eq!(metadata("%7B%22a%22:1%7D"), Some(json!({ "a": 1 })));
        assert_eq!(metadata("{a}"), Some(json!("{a}")));
    }

    #[test]
    fn a_body_and_a_place_of_the_file_are_too_much() {
        for name in ["downloadfrom", "filepath"] {
            assert_eq!(read(&[(name, "x"), ("content-length", "1")]).unwrap_err(), StatusCode::BAD_REQUEST, "{name}");
        }
    }

    #[test]
    fn callbacks_that_are_not_http_urls_are_refused() {
        for url in ["", "x", "/x", "ftp://a/", "http://", "http://a:99999/", "http://:80/"] {
            assert_eq!(read(&[("callbackurl", url)]).unwrap_err(), StatusCode::BAD_REQUEST, "{url}");
        }
        for url in ["http://[::1]:80/x?y", "http://[::1]", "https://a/", "http://user@a"] {
            assert!(read(&[("callbackurl", url)]).unwrap().callback.is_some(), "{url}");
        }
    }
}
