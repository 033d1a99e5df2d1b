//! What an HTTP probe sends and expects, and the judgement of a response.

use std::ops::RangeInclusive;

use evenkeel_core::health::{ProbeFailure, ProbeSuccess};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::condition::{BodyCondition, JsonCondition};
use crate::tls::TlsClient;

/// What an HTTP probe sends and expects.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpCheck {
    /// TCP port.
    pub port: u16,
    /// Set for HTTPS. The certificate must be valid for the host of the pool.
    pub tls: Option<TlsClient>,
    /// The method of the request.
    pub method: Method,
    /// Path and query, beginning with `/`.
    pub path: String,
    /// Status codes of a good response.
    pub status: Vec<RangeInclusive<u16>>,
    /// Conditions on the body of a good response. All must hold.
    pub conditions: Vec<BodyCondition>,
    /// Which other responses mean that the node is busy.
    pub busy: Option<BusyCheck>,
    /// The body of the request.
    pub body: String,
    /// Longest part of a response body that is read, in bytes.
    pub body_limit: usize,
    /// Sent with every probe, in addition to Host.
    pub headers: HeaderMap,
    /// User and password.
    pub basic_auth: Option<(String, String)>,
    /// Use one connection for many probes instead of a new one for each.
    pub keep_alive: bool,
}

/// Which responses mean that a node is busy and not broken.
#[derive(Clone, Debug, PartialEq)]
pub struct BusyCheck {
    /// Their status codes.
    pub status: Vec<RangeInclusive<u16>>,
    /// Conditions on their bodies. All must hold.
    pub conditions: Vec<JsonCondition>,
    /// Part of its weight that the node keeps, 1 to 100.
    pub percent: u8,
}

impl BusyCheck {
    fn has_status(&self, status: u16) -> bool {
        self.status.iter().any(|range| range.contains(&status))
    }

    fn is_met(&self, status: u16, body: &[u8]) -> bool {
        let all_hold = |json: Value| self.conditions.iter().all(|condition| condition.judge(&json).is_ok());
        self.has_status(status) && serde_json::from_slice(body).is_ok_and(all_hold)
    }
}

impl HttpCheck {
    /// Returns true if the judgement depends on the body of a response with this status.
    pub(super) fn needs_body(&self, status: u16) -> bool {
        !self.conditions.is_empty() || self.busy.as_ref().is_some_and(|busy| busy.has_status(status))
    }

    /// Judges a response by its status and the part of its body that was read.
    ///
    /// # Errors
    /// The response is not good, and does not mean that the node is busy.
    pub(super) fn judge(&self, status: u16, body: &[u8]) -> Result<ProbeSuccess, ProbeFailure> {
        let good = self.judge_status(status).and_then(|()| self.judge_body(body));
        match (good, &self.busy) {
            (Ok(()), _) => Ok(ProbeSuccess::FULL_WEIGHT),
            (Err(_), Some(busy)) if busy.is_met(status, body) => Ok(ProbeSuccess { weight_percent: busy.percent }),
            (Err(failure), _) => Err(failure),
        }
    }

    fn judge_status(&self, status: u16) -> Result<(), ProbeFailure> {
        let is_good = self.status.iter().any(|range| range.contains(&status));
        if is_good { Ok(()) } else { Err(ProbeFailure::Status(status)) }
    }

    /// Judges a body. The first condition that does not hold is the reason.
    fn judge_body(&self, body: &[u8]) -> Result<(), ProbeFailure> {
        let needs_json = self.conditions.iter().any(|condition| matches!(condition, BodyCondition::Json(_)));
        let json = if needs_json {
            let parsed = serde_json::from_slice(body);
            parsed.map_err(|error| {
                // The cause can be the limit of the monitor, not the node.
                let cut = if body.len() >= self.body_limit { ", cut at `body_limit`" } else { "" };
                ProbeFailure::Body(format!("is not JSON{cut}: {error}"))
            })?
        } else {
            Value::Null
        };
        self.conditions.iter().try_for_each(|condition| condition.judge(body, &json)).map_err(ProbeFailure::Body)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::JsonTest;
    use super::*;

    #[test]
    fn a_busy_node_is_up_with_less_weight_unless_another_part_is_broken() {
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
        assert_eq!(check.judge(503, b"not JSON"), Err(ProbeFailure::Status(503)));
        assert!(check.needs_body(503) && !check.needs_body(200) && !check.needs_body(500));
    }
}
