//! What an HTTP probe asks and expects, and the judgement of what it got.

use std::fmt;
use std::ops::RangeInclusive;

use evenkeel_core::health::{ProbeFailure, ProbeSuccess};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::super::pattern::Pattern;
use crate::tls::TlsClient;

/// What an HTTP probe asks and expects.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpCheck {
    /// TCP port.
    pub port: u16,
    /// HTTPS, with the pool's host as the name to verify.
    pub tls: Option<TlsClient>,
    /// What is done to the path.
    pub method: Method,
    /// Path and query, beginning with `/`.
    pub path: String,
    /// Status codes that pass.
    pub status: Vec<RangeInclusive<u16>>,
    /// What the body must be besides; all of them.
    pub conditions: Vec<BodyCondition>,
    /// When a response that is not good says that the node is busy.
    pub busy: Option<BusyCheck>,
    /// Sent as the body of the request.
    pub body: String,
    /// Bytes of the body that are read.
    pub body_limit: usize,
    /// Sent with every probe, besides Host.
    pub headers: HeaderMap,
    /// User and password.
    pub basic_auth: Option<(String, String)>,
    /// Use one connection for many probes instead of a fresh one for each.
    pub keep_alive: bool,
}

/// A response that is not good, from a node that is busy and not broken.
#[derive(Clone, Debug, PartialEq)]
pub struct BusyCheck {
    /// Status codes that it has.
    pub status: Vec<RangeInclusive<u16>>,
    /// What its body is; all of them.
    pub conditions: Vec<JsonCondition>,
    /// Part of its weight that the node keeps, 1 to 100.
    pub percent: u8,
}

/// Something a body must be.
#[derive(Clone, Debug, PartialEq)]
pub enum BodyCondition {
    /// It holds these bytes somewhere.
    Contains(Vec<u8>),
    /// It matches somewhere.
    Matches(Pattern),
    /// It is JSON, and a value in it is as it should be.
    Json(JsonCondition),
}

/// What a value of a JSON body must be.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonCondition {
    /// Names of members, or indices into arrays, from the outside in; at least one.
    pub path: Vec<String>,
    /// The test.
    pub test: JsonTest,
}

/// A test of a JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonTest {
    /// The same string, number or truth value.
    Equals(Value),
    /// Another one.
    NotEquals(Value),
    /// A number not below this one.
    AtLeast(f64),
    /// A number not above this one.
    AtMost(f64),
}

impl BusyCheck {
    fn is_met(&self, status: u16, body: &[u8]) -> bool {
        let json = || serde_json::from_slice::<Value>(body).ok();
        let meets = |json: &Value| self.conditions.iter().all(|condition| condition.judge(json).is_ok());
        self.status.iter().any(|range| range.contains(&status)) && json().is_some_and(|json| meets(&json))
    }
}

impl HttpCheck {
    /// Whether the verdict depends on the body of a response with this status.
    pub(super) fn wants_body(&self, status: u16) -> bool {
        let may_be_busy =
            self.busy.as_ref().is_some_and(|busy| busy.status.iter().any(|range| range.contains(&status)));
        may_be_busy || !self.conditions.is_empty()
    }

    /// Judges a response; its body as far as it was read.
    ///
    /// # Errors
    /// Why it is not good, and the node not busy either.
    pub(super) fn judge(&self, status: u16, body: &[u8]) -> Result<ProbeSuccess, ProbeFailure> {
        let good = self.judge_status(status).and_then(|()| self.judge_body(body));
        match (good, &self.busy) {
            (Ok(()), _) => Ok(ProbeSuccess::FULL_WEIGHT),
            (Err(_), Some(busy)) if busy.is_met(status, body) => Ok(ProbeSuccess { weight_percent: busy.percent }),
            (Err(failure), _) => Err(failure),
        }
    }

    /// Judges a status code.
    fn judge_status(&self, status: u16) -> Result<(), ProbeFailure> {
        let passes = self.status.iter().any(|range| range.contains(&status));
        if passes { Ok(()) } else { Err(ProbeFailure::Status(status)) }
    }

    /// Judges a body; gives the first condition that it does not meet.
    fn judge_body(&self, body: &[u8]) -> Result<(), ProbeFailure> {
        let needs_json = self.conditions.iter().any(|condition| matches!(condition, BodyCondition::Json(_)));
        let json = if needs_json {
            let parsed = serde_json::from_slice(body);
            parsed.map_err(|error| {
                // What was cut is not the node's mistake.
                let cut = if body.len() >= self.body_limit { ", cut at `body_limit`" } else { "" };
                ProbeFailure::Body(format!("is no JSON{cut}: {error}"))
            })?
        } else {
            Value::Null
        };
        self.conditions.iter().try_for_each(|condition| condition.judge(body, &json)).map_err(ProbeFailure::Body)
    }
}

impl BodyCondition {
    /// What the body is instead, when it is not as it should be.
    fn judge(&self, body: &[u8], json: &Value) -> Result<(), String> {
        match self {
            Self::Contains(wanted) if body.windows(wanted.len()).any(|window| window == wanted) => Ok(()),
            Self::Contains(wanted) => Err(format!("lacks \"{}\"", String::from_utf8_lossy(wanted))),
            Self::Matches(pattern) if pattern.0.is_match(body) => Ok(()),
            Self::Matches(pattern) => Err(format!("does not match {}", pattern.0)),
            Self::Json(condition) => condition.judge(json),
        }
    }
}

impl JsonCondition {
    fn judge(&self, json: &Value) -> Result<(), String> {
        let path = self.path.join(".");
        let step = |value: &'_ Value, name: &String| match value {
            Value::Array(items) => items.get(name.parse::<usize>().ok()?).cloned(),
            _ => value.get(name).cloned(),
        };
        let found = self.path.iter().try_fold(json.clone(), |value, name| step(&value, name));
        let Some(found) = found else { return Err(format!("lacks {path}")) };
        let number = || found.as_f64().ok_or_else(|| format!("has {path} = {}, which is no number", beginning(&found)));
        let passes = match &self.test {
            JsonTest::Equals(wanted) => equal(&found, wanted),
            JsonTest::NotEquals(unwanted) => !equal(&found, unwanted),
            JsonTest::AtLeast(least) => number()? >= *least,
            JsonTest::AtMost(most) => number()? <= *most,
        };
        if passes { Ok(()) } else { Err(format!("has {path} = {}, {}", beginning(&found), self.test)) }
    }
}

/// A value for messages: nodes may send much.
fn beginning(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// 80 and 80.0 are the same number, whatever their notation.
fn equal(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

impl fmt::Display for JsonTest {
    /// What a value that fails the test is not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(wanted) => write!(f, "not {wanted}"),
            Self::NotEquals(_) => f.write_str("which it must not be"),
            Self::AtLeast(least) => write!(f, "below {least}"),
            Self::AtMost(most) => write!(f, "above {most}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(path: &str, test: JsonTest) -> Result<(), String> {
        let body = json!({
            "license": { "status": "ok" },
            "scan_queue": { "number_in_queue": 80, "status": true },
            "engines": [{ "name": "a" }, { "name": "b" }],
        });
        JsonCondition { path: path.split('.').map(str::to_owned).collect(), test }.judge(&body)
    }

    #[test]
    fn values_are_found_and_compared() {
        assert_eq!(judged("license.status", JsonTest::Equals(json!("ok"))), Ok(()));
        assert_eq!(judged("engines.1.name", JsonTest::Equals(json!("b"))), Ok(()));
        assert_eq!(judged("scan_queue.number_in_queue", JsonTest::Equals(json!(80.0))), Ok(()));
        assert_eq!(judged("scan_queue.number_in_queue", JsonTest::AtMost(80.0)), Ok(()));
        assert_eq!(judged("license.status", JsonTest::NotEquals(json!("expired"))), Ok(()));
    }

    #[test]
    fn busy_is_not_broken() {
        let condition = |path: &str, value: Value| JsonCondition {
            path: path.split('.').map(str::to_owned).collect(),
            test: JsonTest::Equals(value),
        };
        let busy = BusyCheck {
            status: vec![503..=503],
            conditions: vec![condition("scan_queue.status", json!(false)), condition("database.status", json!(true))],
            percent: 10,
        };
        let check = HttpCheck {
            port: 8008,
            tls: None,
            method: Method::GET,
            path: "/".into(),
            status: vec![200..=299],
            conditions: vec![],
            body: String::new(),
            busy: Some(busy),
            body_limit: 1000,
            headers: HeaderMap::new(),
            basic_auth: None,
            keep_alive: false,
        };
        let body = |queue: bool, database: bool| {
            json!({ "scan_queue": { "status": queue }, "database": { "status": database } }).to_string().into_bytes()
        };
        assert_eq!(check.judge(200, b""), Ok(ProbeSuccess::FULL_WEIGHT));
        assert_eq!(check.judge(503, &body(false, true)), Ok(ProbeSuccess { weight_percent: 10 }));
        assert_eq!(
            check.judge(503, &body(false, false)),
            Err(ProbeFailure::Status(503)),
            "the database is broken, too"
        );
        assert_eq!(check.judge(500, &body(false, true)), Err(ProbeFailure::Status(500)));
        assert_eq!(check.judge(503, b"no JSON"), Err(ProbeFailure::Status(503)));
        assert!(check.wants_body(503) && !check.wants_body(200) && !check.wants_body(500));
    }

    #[test]
    fn what_is_wrong_is_said_with_the_value() {
        let why = |path, test| judged(path, test).unwrap_err();
        assert_eq!(why("license.status", JsonTest::Equals(json!("x"))), "has license.status = \"ok\", not \"x\"");
        assert_eq!(
            why("scan_queue.number_in_queue", JsonTest::AtMost(50.0)),
            "has scan_queue.number_in_queue = 80, above 50"
        );
        assert_eq!(
            why("scan_queue.number_in_queue", JsonTest::AtLeast(90.0)),
            "has scan_queue.number_in_queue = 80, below 90"
        );
        assert_eq!(why("license.days", JsonTest::AtLeast(1.0)), "lacks license.days");
        assert_eq!(why("engines.2.name", JsonTest::Equals(json!("c"))), "lacks engines.2.name");
        assert!(why("license.status", JsonTest::AtLeast(1.0)).contains("no number"));
    }
}
