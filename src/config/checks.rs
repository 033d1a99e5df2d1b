//! The keys of each kind of monitor. What is wrong has a stand-in, so that the rest is read all the same.

use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use regex::bytes::Regex;
use reqwest::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use reqwest::{Method, Url};
use serde_json::Value;
use toml::de::DeValue;

use super::Origin;
use super::secret;
use super::section::{Placed, Section, Unaccepted, as_str, mistyped, one_of};
use crate::health::{
    AgentCheck, BodyCondition, BusyCheck, ExecCheck, HttpCheck, IcapCheck, JsonCondition, JsonTest, Pattern, TcpCheck,
    TlsClient, Trust,
};

/// Part of its weight that a busy node keeps, in percent.
const BUSY_SHARE: u8 = 10;

/// Port that ICAP services have (RFC 3507 §4.2).
const ICAP_PORT: u16 = 1344;

/// A section that names files, and where their paths begin.
pub(super) struct Files<'s, 'a> {
    pub(super) section: &'s Section<'a>,
    pub(super) origin: &'s Origin,
}

impl Files<'_, '_> {
    /// The file that a key names.
    pub(super) fn path(&self, key: &'static str) -> Option<Placed<PathBuf>> {
        let named = self.section.string(key)?;
        Some(Placed { value: self.origin.path(named.value), span: named.span })
    }

    pub(super) fn problem(&self, file: &Placed<PathBuf>, what: &str, hint: &str) {
        self.section.reading.error(file.span.clone(), format!("{}: {what}", file.value.display()), hint);
    }
}

fn port(section: &Section<'_>) -> u16 {
    let port = section.integer("port", 1..=65_535);
    let port = section.required("port", port, "the TCP port of the nodes, for example 8008");
    port.and_then(|port| u16::try_from(port.value).ok()).unwrap_or_default()
}

pub(super) fn http(files: &Files<'_, '_>) -> HttpCheck {
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
    let methods = [("GET", Method::GET), ("HEAD", Method::HEAD), ("OPTIONS", Method::OPTIONS), ("POST", Method::POST)];
    let method = section.read("method", one_of(&methods)).map_or(Method::GET, |method| method.value);
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
        busy: busy(section),
        body_limit,
        headers: headers(files),
        basic_auth: basic_auth(files),
        keep_alive: section.boolean("keep_alive").unwrap_or(false),
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

fn pattern(value: &DeValue<'_>) -> Result<Pattern, Unaccepted> {
    Regex::new(as_str(value)?).map(Pattern).map_err(|error| Unaccepted {
        message: "is no regular expression".to_owned(),
        hint: error.to_string().lines().last().unwrap_or_default().to_owned(),
    })
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
fn headers(files: &Files<'_, '_>) -> HeaderMap {
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

/// `ca`, `client_certificate`, `client_key` and `verify`; `switch` says how TLS is switched on.
fn tls(files: &Files<'_, '_>, wanted: bool, switch: &str) -> Option<TlsClient> {
    let section = files.section;
    let (ca, certificate, key) = (files.path("ca"), files.path("client_certificate"), files.path("client_key"));
    let verify = section.boolean("verify").unwrap_or(true);
    if !wanted {
        for used in ["ca", "client_certificate", "client_key", "verify"] {
            if let Some(span) = section.place_of(used) {
                section.reading.error(span, format!("`{used}` is for TLS"), format!("set {switch}"));
            }
        }
        return None;
    }
    if !verify {
        let message = format!("{} believes every certificate", section.shown());
        let span = section.place_of("verify").unwrap_or_default();
        section.reading.warn(span, message, "whoever stands between can pretend to be a node; give a `ca` instead");
    }
    let trust = match (verify, ca) {
        (false, _) => Trust::Anybody,
        (true, None) => Trust::System,
        (true, Some(file)) => Trust::Own(secret::certificates(files, &file)?),
    };
    let identity = match (certificate, key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => {
            Some((secret::certificates(files, &certificate)?, secret::private_key(files, &key)?))
        }
        (Some(one), None) | (None, Some(one)) => {
            section.reading.error(one.span, "a client certificate needs its key, and the other way round", "give both");
            None
        }
    };
    let client = TlsClient::new(trust, identity);
    let unusable = |error| section.reading.error(section.span.clone(), format!("TLS cannot be set up: {error}"), "");
    client.map_err(unusable).ok()
}

pub(super) fn tcp(files: &Files<'_, '_>) -> TcpCheck {
    let section = files.section;
    let over_tls = section.boolean("tls").unwrap_or(false);
    TcpCheck {
        port: port(section),
        tls: tls(files, over_tls, "tls = true"),
        send: section.string("send").map_or_else(Vec::new, |send| send.value.into()),
        expect: section.read("expect", pattern).map(|pattern| pattern.value),
    }
}

pub(super) fn icap(section: &Section<'_>) -> IcapCheck {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
    let word = |value: &DeValue<'_>| {
        let word = as_str(value)?.to_owned();
        let refused = Unaccepted {
            message: format!("cannot be \"{}\"", word.escape_debug()),
            hint: "accepted: visible ASCII characters".to_owned(),
        };
        if is_word(&word) { Ok(word) } else { Err(refused) }
    };
    let service = section.required("service", section.read("service", word), "for example: \"avscan\"");
    IcapCheck {
        port: section.integer("port", 1..=65_535).map_or(ICAP_PORT, |port| port.value as u16),
        service: service.map_or_else(String::new, |service| service.value.trim_start_matches('/').to_owned()),
        method: section.read("method", word).map(|method| method.value),
    }
}

pub(super) fn exec(section: &Section<'_>) -> ExecCheck {
    let accepted = "a list: the absolute path of a program, then its arguments";
    let command = section.required("command", section.list("command", accepted, as_str), accepted);
    let mut words = command.into_iter().flat_map(|command| {
        let sound = command.value.first().is_some_and(|program| program.value.starts_with('/'));
        if !sound {
            section.reading.error(command.span.clone(), "`command` names no program", accepted);
        }
        command.value
    });
    let program = words.next();
    if let Some(program) = program.as_ref().filter(|program| program.value.starts_with('/'))
        && let Some(why) = not_a_program(program.value)
    {
        let message = format!("{} cannot be run: {why}", program.value);
        section.reading.error(program.span.clone(), message, "the absolute path of a program");
    }
    let environment = section.section("environment", "[monitors.NAME.environment]");
    let pairs = environment.into_iter().flat_map(|table| {
        let pair = |(name, value): (Placed<&str>, Placed<&DeValue<'_>>)| {
            let text = as_str(value.value).ok().filter(|text| !text.contains('\0'));
            if text.is_none() || name.value.is_empty() || name.value.contains(['=', '\0']) {
                table.reading.error(name.span, "not a variable", "accepted: NAME = \"value\"");
                return None;
            }
            Some((name.value.to_owned(), text?.to_owned()))
        };
        table.entries().into_iter().filter_map(pair).collect::<Vec<_>>()
    });
    ExecCheck {
        program: program.map_or_else(PathBuf::new, |program| program.value.into()),
        arguments: words.map(|word| word.value.to_owned()).collect(),
        environment: pairs.collect(),
    }
}

fn not_a_program(path: &str) -> Option<String> {
    match std::fs::metadata(path) {
        Err(error) => Some(error.to_string()),
        Ok(file) if !file.is_file() => Some("it is no file".to_owned()),
        Ok(file) if file.permissions().mode() & 0o111 == 0 => Some("nobody may execute it".to_owned()),
        Ok(_) => None,
    }
}

pub(super) fn agent(section: &Section<'_>) -> AgentCheck {
    let send = section.string("send").map_or_else(Vec::new, |send| send.value.into());
    AgentCheck { port: port(section), send }
}
