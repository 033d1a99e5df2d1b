//! Builds the request of an HTTP probe, once per target. It is sent with every probe.

use std::fmt::Display;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, USER_AGENT};
use reqwest::{Method, Url};

use super::HttpCheck;

/// Ports that the Host header leaves out.
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// Builds the request of a check, for a host and a port.
///
/// # Errors
/// The host, the path or the credentials cannot be part of a request. The message names host and
/// path.
pub(super) fn build(check: &HttpCheck, host: &str, port: u16) -> Result<hyper::Request<Full<Bytes>>, String> {
    let unusable = |error: &dyn Display| format!("{host}{}: {error}", check.path);
    // Url encodes the characters that a request cannot have.
    let url = Url::parse(&format!("http://host{}", check.path)).map_err(|error| unusable(&error))?;
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let default_port = if check.tls.is_some() { HTTPS_PORT } else { HTTP_PORT };
    let authority = if port == default_port { host.to_owned() } else { format!("{host}:{port}") };

    let mut request = hyper::Request::new(Full::from(check.body.clone()));
    *request.method_mut() = check.method.clone();
    *request.uri_mut() = path.parse().map_err(|error| unusable(&error))?;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::try_from(authority).map_err(|error| unusable(&error))?);
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("evenkeel/", env!("CARGO_PKG_VERSION"))));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    if let Some((user, password)) = &check.basic_auth {
        let credentials = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let mut credentials = HeaderValue::try_from(credentials).map_err(|error| unusable(&error))?;
        credentials.set_sensitive(true);
        headers.insert(AUTHORIZATION, credentials);
    }
    headers.extend(check.headers.clone());
    if check.body.is_empty() && matches!(check.method, Method::POST | Method::PUT | Method::PATCH) {
        // Without it, Core nodes answer 411. RFC 9110 §8.6 asks for it even if there is no body.
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    if !check.keep_alive {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(request)
}
