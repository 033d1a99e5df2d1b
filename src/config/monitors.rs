//! `[monitors.NAME]`.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::Regex;
use reqwest::Url;
use reqwest::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use toml::de::DeValue;

use super::section::{Reading, Section, Unaccepted, as_str, check_word, in_units, mistyped, one_of};
use crate::health::{BodyCondition, HttpCheck, Kind, Monitor};
use crate::pool::Pool;

/// A monitor and where it is defined.
pub(super) struct PlacedMonitor {
    pub(super) monitor: Arc<Monitor>,
    span: Range<usize>,
}

pub(super) fn read(root: &Section<'_>) -> Vec<PlacedMonitor> {
    let mut monitors = Vec::new();
    for (name, section) in root.named("monitors", "[monitors.NAME]") {
        let reading = section.reading;
        check_word(reading, "monitor", &name);
        let second = Duration::from_secs(1);
        let period =
            |key, default: Duration| section.duration(key, second / 20..=86_400 * second).map_or(default, |d| d.value);
        let count = |key, default| section.integer(key, 1..=1000).map_or(default, |n| n.value);
        section.required("kind", section.read("kind", one_of(&[("http", ())])), "accepted: http");
        let (interval, timeout) = (period("interval", 5 * second), period("timeout", second));
        if timeout > interval {
            let span = section.place_of("timeout").unwrap_or_else(|| section.span.clone());
            let message =
                format!("`timeout` ({}) is longer than `interval` ({})", in_units(timeout), in_units(interval));
            reading.error(span, message, "a probe must end before the next begins");
        }
        let (rise, fall) = (count("rise", 2), count("fall", 3));
        let (name, kind) = (name.value.into(), Kind::Http(http(&section)));
        let monitor = Monitor { name, kind, interval, timeout, rise, fall };
        monitors.push(PlacedMonitor { monitor: Arc::new(monitor), span: section.span.clone() });
        section.finish();
    }
    monitors
}

/// The keys of kind `http`. What is wrong has a stand-in, so that the rest is read all the same.
fn http(section: &Section<'_>) -> HttpCheck {
    let port = section.integer("port", 1..=65_535);
    let port = section.required("port", port, "the TCP port of the nodes, for example 8008");
    let path = section.read("path", |value| {
        let path = as_str(value)?;
        let visible = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        let sound = visible && path.starts_with('/') && Url::parse(&format!("http://host{path}")).is_ok();
        let message = format!("cannot be \"{}\"", path.escape_debug());
        if sound {
            Ok(path)
        } else {
            Err(Unaccepted {
                message,
                hint: "accepted: a path such as \"/readyz?verbose=true\", percent-encoded".to_owned(),
            })
        }
    });
    let status = section.list("status", "a list such as [200, \"300-399\"]", status_range);
    if let Some(status) = status.as_ref().filter(|status| status.value.is_empty()) {
        section.reading.error(status.span.clone(), "`status` is empty: no answer could pass", "for example: [200]");
    }
    let body_limit = section.integer("body_limit", 1..=1_048_576).map_or(65_536, |limit| limit.value) as usize;
    HttpCheck {
        port: port.and_then(|port| u16::try_from(port.value).ok()).unwrap_or_default(),
        path: path.map_or("/", |path| path.value).to_owned(),
        status: status
            .map_or_else(|| vec![200..=299], |list| list.value.into_iter().map(|range| range.value).collect()),
        body: body_condition(section, body_limit),
        body_limit,
        headers: headers(section),
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

fn body_condition(section: &Section<'_>, limit: usize) -> Option<BodyCondition> {
    let contains = section.string("body_contains");
    let matches = section.read("body_matches", |value| {
        let pattern = as_str(value)?;
        Regex::new(pattern).map_err(|error| Unaccepted {
            message: "is no regular expression".to_owned(),
            hint: error.to_string().lines().last().unwrap_or_default().to_owned(),
        })
    });
    match (contains, matches) {
        (Some(_), Some(matches)) => {
            let message = "`body_contains` and `body_matches` stand together";
            section.reading.error(matches.span, message, "one of them; a regular expression can hold both conditions");
            None
        }
        (Some(contains), None) if contains.value.is_empty() => {
            section.reading.error(contains.span, "`body_contains` is empty", "leave it out to accept every body");
            None
        }
        (Some(contains), None) if contains.value.len() > limit => {
            let message = format!("`body_contains` is longer than the {limit} bytes of the body that are read");
            section.reading.error(contains.span, message, "raise `body_limit`");
            None
        }
        (Some(contains), None) => Some(BodyCondition::Contains(contains.value.into())),
        (None, matches) => matches.map(|matches| BodyCondition::Matches(matches.value)),
    }
}

fn headers(section: &Section<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(table) = section.section("headers", "[monitors.NAME.headers]") else { return headers };
    for (name, value) in table.entries() {
        let visible = |text: &&str| text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        let text = as_str(value.value).ok().filter(visible).and_then(|text| HeaderValue::from_str(text).ok());
        match (HeaderName::from_bytes(name.value.as_bytes()), text) {
            (Ok(HOST), _) => {
                table.reading.error(name.span, "the Host header is the pool's", "give the pool a `host`");
            }
            (Ok(CONNECTION | CONTENT_LENGTH | TRANSFER_ENCODING), _) => {
                let message = format!("the header {} is the connection's own", name.value);
                table.reading.error(name.span, message, "`keep_alive` keeps connections; probes have no body");
            }
            (Ok(key), Some(_)) if headers.contains_key(&key) => {
                let message = format!("the header {} stands twice", name.value);
                table.reading.error(name.span, message, "letter case makes no difference");
            }
            (Ok(key), Some(text)) => {
                headers.insert(key, text);
            }
            (Err(_), _) => {
                let message = format!("\"{}\" is no header name", name.value.escape_debug());
                table.reading.error(name.span, message, "for example: apikey");
            }
            (_, None) => {
                table.reading.error(value.span, "not a header value", "accepted: a string of visible ASCII characters");
            }
        }
    }
    headers
}

/// Monitors that no pool uses are probably misspelled somewhere.
pub(super) fn warn_unused(reading: &Reading<'_>, monitors: &[PlacedMonitor], pools: &[Pool]) {
    for PlacedMonitor { monitor, span } in monitors {
        let used = |pool: &Pool| pool.monitors.iter().any(|used| used.name == monitor.name);
        if !pools.iter().any(used) {
            let message = format!("monitor \"{}\" is used by no pool", monitor.name);
            reading.warn(span.clone(), message, "name it in the `monitors` of a pool");
        }
    }
}
