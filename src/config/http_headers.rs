//! `headers`, `headers_file` and `basic_auth_file`: what an HTTP request sends in addition
//! to its body.

use reqwest::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};

use super::secret_files;
use super::section::Section;
use super::value::as_str;

/// Reads `headers`, and adds those of `headers_file`.
pub(super) fn read(section: &Section<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in section.free_entries("headers") {
        let text = as_str(value.value).ok();
        match (header_name(name.value), text.and_then(header_value)) {
            (Err(why), _) => section.report.error(name.span, why, "for example: apikey"),
            (_, None) => {
                section.report.error(value.span, "not a header value", "accepted: a string of visible ASCII characters")
            }
            (Ok(key), _) if headers.contains_key(&key) => {
                let message = format!("the header {} appears twice", name.value);
                section.report.error(name.span, message, "letter case makes no difference");
            }
            (Ok(key), Some(text)) => drop(headers.insert(key, text)),
        }
    }
    add_secret_headers(section, &mut headers);
    headers
}

/// Adds the headers of `headers_file`. They replace equal ones of `headers`, and are never logged.
fn add_secret_headers(section: &Section<'_>, headers: &mut HeaderMap) {
    const ACCEPTED: &str = "a line is: NAME: VALUE";
    let Some(file) = section.path("headers_file") else { return };
    let Some(text) = secret_files::read(section, &file) else { return };
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let pair = line.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
        let name = pair.map(|(name, _)| header_name(name));
        match (name, pair.and_then(|(_, value)| header_value(value))) {
            (Some(Ok(name)), Some(mut value)) => {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
            (Some(Err(why)), _) => section.report.file_error(&file, &why, ACCEPTED),
            // The line is not shown: it may be the secret.
            _ => section.report.file_error(&file, "a line is not a header", ACCEPTED),
        }
    }
}

/// User and password of `basic_auth_file`.
pub(super) fn basic_auth(section: &Section<'_>) -> Option<(String, String)> {
    let file = section.path("basic_auth_file")?;
    let text = secret_files::read(section, &file)?;
    let credentials = text.lines().next().and_then(|line| line.split_once(':'));
    if credentials.is_none() {
        section.report.file_error(&file, "the first line has no credentials", "accepted: USER:PASSWORD");
    }
    credentials.map(|(user, password)| (user.to_owned(), password.to_owned()))
}

/// The name of a header that users can set.
fn header_name(name: &str) -> Result<HeaderName, String> {
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(HOST) => Err("the Host header comes from the pool; set the `host` of the pool".to_owned()),
        Ok(CONNECTION | CONTENT_LENGTH | TRANSFER_ENCODING) => {
            Err(format!("the header {name} is set by the connection"))
        }
        Ok(name) => Ok(name),
        Err(_) => Err(format!("\"{}\" is not a header name", name.escape_debug())),
    }
}

/// The value of a header, in visible ASCII.
fn header_value(text: &str) -> Option<HeaderValue> {
    let is_visible = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    HeaderValue::from_str(text).ok().filter(|_| is_visible)
}
