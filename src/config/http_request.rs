//! The keys of an HTTP request, and what its response must be: monitors and actions of kind `http`.

use reqwest::{Method, Url};
use toml::de::DeValue;

use super::section::Section;
use super::value::{Unaccepted, as_str, one_of};
use super::{http_headers, port, response_conditions, tls_client};
use crate::monitor::HttpCheck;

/// The accepted methods. The first is the default.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Reads a request. Monitors have more keys, for which this returns the defaults.
pub(super) fn read(section: &Section<'_>) -> HttpCheck {
    let port = port::required(section);
    let path = section.read("path", path);
    let scheme = section.read("scheme", one_of(&[("http", false), ("https", true)]));
    let over_tls = scheme.is_some_and(|scheme| scheme.value);
    let words: Vec<_> = METHODS.iter().map(|method| (method.as_str(), method.clone())).collect();
    let method = section.read("method", one_of(&words)).map_or(Method::GET, |method| method.value);
    let status = section.list("status", "a list such as [200, \"300-399\"]", response_conditions::status_range);
    if let Some(status) = status.as_ref().filter(|status| status.value.is_empty()) {
        section.report.error(status.span.clone(), "`status` is empty: no response could pass", "for example: [200]");
    }
    let body_limit = section.integer("body_limit", 1..=1_048_576).map_or(65_536, |limit| limit.value) as usize;
    let conditions = response_conditions::on_body(section, body_limit);
    if method == Method::HEAD && !conditions.is_empty() {
        let span = section.span_of("method").unwrap_or_default();
        section.report.error(span, "a response to HEAD has no body to check", "use GET, or remove the conditions");
    }
    HttpCheck {
        port,
        tls: tls_client::read(section, over_tls, "scheme = \"https\""),
        method,
        path: path.map_or("/", |path| path.value).to_owned(),
        status: status
            .map_or_else(|| vec![200..=299], |list| list.value.into_iter().map(|range| range.value).collect()),
        conditions,
        busy: None,
        body: section.string("body").map_or_else(String::new, |body| body.value.to_owned()),
        body_limit,
        headers: http_headers::read(section),
        basic_auth: http_headers::basic_auth(section),
        keep_alive: false,
    }
}

/// Path and query, as they are sent.
fn path<'a>(value: &'a DeValue<'a>) -> Result<&'a str, Unaccepted> {
    let path = as_str(value)?;
    let is_visible = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if is_visible && path.starts_with('/') && Url::parse(&format!("http://host{path}")).is_ok() {
        return Ok(path);
    }
    let message = format!("cannot be \"{}\"", path.escape_debug());
    let hint = "accepted: a path such as \"/readyz?verbose=true\", percent-encoded".to_owned();
    Err(Unaccepted { message, hint })
}
