//! The keys of HTTP requests: what monitors of kind `http` and actions send, and how its answer is judged.

use std::ops::RangeInclusive;

use reqwest::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use reqwest::{Method, Url};
use serde_json::Value;
use toml::de::DeValue;

use super::checks::{Files, pattern, port, tls};
use super::secret;
use super::section::{Placed, Section, Unaccepted, as_str, mistyped, one_of};
use crate::monitor::{BodyCondition, BusyCheck, HttpCheck, JsonCondition, JsonTest};

/// Part of its weight that a busy node keeps, in percent.
const BUSY_SHARE: u8 = 10;

/// A monitor's request.
pub(super) fn monitor(files: &Files<'_, '_>) -> HttpCheck {
    let section = files.section;
    HttpCheck { busy: busy(section), keep_alive: section.boolean("keep_alive").unwrap_or(false), ..request(files) }
}

/// A request, and what its answer must be.
pub(super) fn request(files: &Files<'_, '_>) -> HttpCheck {
    let section = files.section;
    let port = port(section);
    let path = section.read("path", |value| {
        let path = as_str(value)?;
        let visible = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        let sound = visible && path.starts_with('/') && Url::parse(&format!("http://host{path}")).is_ok();
        let message = format!("cannot be \"{}\"", path.escape_debug());
        let hint = "accepted: a path such as \"/readyz?verbose=true\", percent-encoded".to_owned();
        if sound { Ok(path) } else { Err(Unaccepted { message, hint }) }
    });
    let scheme = section.read("scheme", one_of(&[("http", false), ("https", true)]));
    let over_tls = scheme.is_some_and(|scheme| scheme.value);
    let methods =
        [Method::GET, Method::HEAD, Method::OPTIONS, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let words: Vec<_> = methods.iter().map(|method| (method.as_str(), method.clone())).collect();
    let method = section.read("method", one_of(&words)).map_or(Method::GET, |method| method.value);
    let status = section.list("status", "a list such as [200, \"300-399\"]", status_range);
    if let Some(status) = status.as_ref().filter(|status| status.value.is_empty()) {
        section.reading.error(status.span.clone(), "`status` is empty: no answer could pass", "for example: [200]");
    }
    let body_limit = section.integer("body_limit", 1..=1_048_576).map_or(65_536, |limit| limit.value) as usize;
    let conditions = body_conditions(section, body_limit);
    if method == Method::HEAD && !conditions.is_empty() {
        let span = section.place_of("method").unwrap_or_default();
        section.reading.error(span, "answers to HEAD have no body to judge", "use GET, or leave out the conditions");
    }
    HttpCheck {
        port,
        tls: tls(files, over_tls, "scheme = \"https\""),
        method,
        path: path.map_or("/", |path| path.value).to_owned(),
        status: status
            .map_or_else(|| vec![200..=299], |list| list.value.into_iter().map(|range| range.value).collect()),
        conditions,
        busy: None,
        body: section.string("body").map_or_else(String::new, |body| body.value.to_owned()),
        body_limit,
        headers: headers(files),
        basic_auth: basic_auth(files),
        keep_alive: false,
    }
}

/// `200` or `"200-299"`.
fn status_range(value: &DeValue<'_>) -> Result<RangeInclusive<u16>, Unaccepted> {
    let accepted = "a status code, or a range as a string: 200, \"200-299\"";
    let text = match value {
        DeValue::Integer(digits) => digits.as_str(),
        DeValue::String(text) => text,
        _ => return Err(mistyped(value, accepted)),
    };
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    match (from.trim().parse::<u16>(), to.trim().parse::<u16>()) {
        (Ok(from), Ok(to)) if (100..=999).contains(&from) && from <= to && to <= 999 => Ok(from..=to),
        _ => Err(Unaccepted {
            message: format!("cannot be {text}"),
            hint: format!("accepted: {accepted}, from 100 to 999"),
        }),
    }
}

/// All conditions on the body; each of them must hold.
fn body_conditions(section: &Section<'_>, limit: usize) -> Vec<BodyCondition> {
    let mut conditions = Vec::new();
    if let Some(contains) = section.string("body_contains") {
        if contains.value.is_empty() {
            section.reading.error(contains.span, "`body_contains` is empty", "leave it out to accept every body");
        } else if contains.value.len() > limit {
            let message = format!("`body_contains` is longer than the {limit} bytes of the body that are read");
            section.reading.error(contains.span, message, "raise `body_limit`");
        } else {
            conditions.push(BodyCondition::Contains(contains.value.into()));
        }
    }
    conditions.extend(section.read("body_matches", pattern).map(|pattern| BodyCondition::Matches(pattern.value)));
    conditions.extend(json_conditions(section, "json").into_iter().map(BodyCondition::Json));
    conditions
}

/// A list of conditions on JSON values.
fn json_conditions(section: &Section<'_>, key: &'static str) -> Vec<JsonCondition> {
    let accepted = "a list such as [{ path = \"license.status\", equals = \"ok\" }]";
    let tables = section.tables(key, "a condition in json", accepted);
    tables.into_iter().flat_map(|list| list.value).filter_map(json_condition).collect()
}

/// `busy_status`, `busy_json` and `busy_share`: when a node that does not answer well is busy and not broken.
fn busy(section: &Section<'_>) -> Option<BusyCheck> {
    let status = section.list("busy_status", "a list such as [503]", status_range);
    let conditions = json_conditions(section, "busy_json");
    let percent = section.integer("busy_share", 1..=100).map_or(BUSY_SHARE, |share| share.value as u8);
    if conditions.is_empty() {
        // Without a body to tell them apart, whatever is broken would pass as busy.
        for key in ["busy_status", "busy_share"] {
            if let Some(span) = section.place_of(key).filter(|_| section.place_of("busy_json").is_none()) {
                section.reading.error(span, format!("`{key}` needs `busy_json`"), "what the body of a busy node says");
            }
        }
        return None;
    }
    let status =
        status.map_or_else(|| vec![503..=503], |list| list.value.into_iter().map(|range| range.value).collect());
    Some(BusyCheck { status, conditions, percent })
}

fn json_condition(section: Section<'_>) -> Option<JsonCondition> {
    let path = section.read("path", |value| {
        let path = as_str(value)?;
        let segments: Vec<String> = path.split('.').map(str::to_owned).collect();
        if segments.iter().any(String::is_empty) {
            let hint = "accepted: names of members and indices of arrays with dots between them: \"engines.0.name\"";
            return Err(Unaccepted { message: format!("cannot be \"{path}\""), hint: hint.to_owned() });
        }
        Ok(segments)
    });
    let path = section.required("path", path, "where the value stands, for example \"license.status\"");
    let scalar = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Ok(Value::from(&**text)),
        DeValue::Boolean(truth) => Ok(Value::from(*truth)),
        _ => number(value).map(Value::from),
    };
    let test = [
        section.read("equals", |value| scalar(value).map(JsonTest::Equals)),
        section.read("not_equals", |value| scalar(value).map(JsonTest::NotEquals)),
        section.read("at_least", |value| number(value).map(JsonTest::AtLeast)),
        section.read("at_most", |value| number(value).map(JsonTest::AtMost)),
    ]
    .into_iter()
    .flatten()
    .next();
    let given = ["equals", "not_equals", "at_least", "at_most"].map(|key| section.place_of(key).is_some());
    if given.into_iter().filter(|&given| given).count() != 1 {
        let hint = "one of: equals, not_equals, at_least, at_most; several conditions may have the same path";
        section.reading.error(section.span.clone(), "a JSON condition needs one test", hint);
    }
    section.finish();
    Some(JsonCondition { path: path?.value, test: test?.value })
}

fn number(value: &DeValue<'_>) -> Result<f64, Unaccepted> {
    let text = match value {
        DeValue::Integer(digits) => digits.to_string(),
        DeValue::Float(digits) => digits.to_string(),
        _ => return Err(mistyped(value, "a number, or with `equals` and `not_equals` also a string or true or false")),
    };
    text.parse().map_err(|_| Unaccepted { message: format!("cannot be {text}"), hint: "accepted: a number".to_owned() })
}

/// `headers`, and those of `headers_file`.
pub(super) fn headers(files: &Files<'_, '_>) -> HeaderMap {
    let section = files.section;
    let mut headers = HeaderMap::new();
    if let Some(table) = section.section("headers", "[monitors.NAME.headers]") {
        for (name, value) in table.entries() {
            let text = as_str(value.value).ok();
            match (header_name(&name), text.and_then(header_value)) {
                (Err(why), _) => table.reading.error(name.span, why, "for example: apikey"),
                (_, None) => table.reading.error(
                    value.span,
                    "not a header value",
                    "accepted: a string of visible ASCII characters",
                ),
                (Ok(key), _) if headers.contains_key(&key) => {
                    let message = format!("the header {} stands twice", name.value);
                    table.reading.error(name.span, message, "letter case makes no difference");
                }
                (Ok(key), Some(text)) => drop(headers.insert(key, text)),
            }
        }
    }
    if let Some(file) = files.path("headers_file")
        && let Some(text) = secret::read(files, &file)
    {
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let pair = line.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
            let name = pair.map(|(name, _)| header_name(&Placed { value: name, span: 0..0 }));
            match (name, pair.and_then(|(_, value)| header_value(value))) {
                (Some(Ok(name)), Some(mut value)) => {
                    value.set_sensitive(true);
                    headers.insert(name, value);
                }
                (Some(Err(why)), _) => files.problem(&file, &why, "a line is: NAME: VALUE"),
                // The line itself may be the secret.
                _ => files.problem(&file, "a line is no header", "a line is: NAME: VALUE"),
            }
        }
    }
    headers
}

/// User and password of `basic_auth_file`.
fn basic_auth(files: &Files<'_, '_>) -> Option<(String, String)> {
    let file = files.path("basic_auth_file")?;
    let text = secret::read(files, &file)?;
    let credentials = text.lines().next().and_then(|line| line.split_once(':'));
    if credentials.is_none() {
        files.problem(&file, "the first line holds no credentials", "accepted: USER:PASSWORD");
    }
    credentials.map(|(user, password)| (user.to_owned(), password.to_owned()))
}

fn header_name(name: &Placed<&str>) -> Result<HeaderName, String> {
    match HeaderName::from_bytes(name.value.as_bytes()) {
        Ok(HOST) => Err("the Host header is the pool's; give the pool a `host`".to_owned()),
        Ok(CONNECTION | CONTENT_LENGTH | TRANSFER_ENCODING) => {
            Err(format!("the header {} is the connection's own", name.value))
        }
        Ok(name) => Ok(name),
        Err(_) => Err(format!("\"{}\" is no header name", name.value.escape_debug())),
    }
}

fn header_value(text: &str) -> Option<HeaderValue> {
    let visible = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    HeaderValue::from_str(text).ok().filter(|_| visible)
}
