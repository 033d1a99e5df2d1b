//! What an HTTP response must be: status codes, conditions on its body, and when it means "busy".

use std::ops::RangeInclusive;

use serde_json::Value;
use toml::de::DeValue;

use super::pattern;
use super::section::Section;
use super::value::{Unaccepted, as_str, integer, mistyped};
use crate::monitor::{BodyCondition, BusyCheck, JsonCondition, JsonTest};

/// Part of its weight that a busy node keeps, in percent.
const BUSY_SHARE: u8 = 10;

/// `200` or `"200-299"`.
pub(super) fn status_range(value: &DeValue<'_>) -> Result<RangeInclusive<u16>, Unaccepted> {
    let accepted = "a status code, or a range as a string: 200, \"200-299\"";
    let (from, to) = match value {
        DeValue::Integer(digits) => {
            let code = integer(digits).and_then(|code| u16::try_from(code).ok());
            (code, code)
        }
        DeValue::String(text) => {
            let (from, to) = text.split_once('-').unwrap_or((text, text));
            (from.trim().parse().ok(), to.trim().parse().ok())
        }
        _ => return Err(mistyped(value, accepted)),
    };
    match (from, to) {
        (Some(from), Some(to)) if (100..=999).contains(&from) && from <= to && to <= 999 => Ok(from..=to),
        _ => Err(Unaccepted {
            message: format!("cannot be {}", shown(value)),
            hint: format!("accepted: {accepted}, from 100 to 999"),
        }),
    }
}

/// `body_contains`, `body_matches` and `json`: all conditions on the body. `limit` is the number of
/// bytes of the body that are read.
pub(super) fn on_body(section: &Section<'_>, limit: usize) -> Vec<BodyCondition> {
    let mut conditions = Vec::new();
    if let Some(contains) = section.string("body_contains") {
        if contains.value.is_empty() {
            section.report.error(contains.span, "`body_contains` is empty", "leave it out to accept every body");
        } else if contains.value.len() > limit {
            let message = format!("`body_contains` is longer than the {limit} bytes of the body that are read");
            section.report.error(contains.span, message, "raise `body_limit`");
        } else {
            conditions.push(BodyCondition::Contains(contains.value.into()));
        }
    }
    let matches = section.read("body_matches", pattern::parse);
    conditions.extend(matches.map(|pattern| BodyCondition::Matches(pattern.value)));
    conditions.extend(json_conditions(section, "json").into_iter().map(BodyCondition::Json));
    conditions
}

/// `busy_status`, `busy_json` and `busy_share`: which responses show a node that is only busy.
pub(super) fn busy(section: &Section<'_>) -> Option<BusyCheck> {
    let status = section.list("busy_status", "a list such as [503]", status_range);
    let conditions = json_conditions(section, "busy_json");
    let percent = section.integer("busy_share", 1..=100).map_or(BUSY_SHARE, |share| share.value as u8);
    if conditions.is_empty() {
        // Without a condition on the body, a broken node would count as busy.
        for key in ["busy_status", "busy_share"] {
            if let Some(span) = section.span_of(key).filter(|_| section.span_of("busy_json").is_none()) {
                let hint = "set conditions on the body of a busy node";
                section.report.error(span, format!("`{key}` needs `busy_json`"), hint);
            }
        }
        return None;
    }
    let status =
        status.map_or_else(|| vec![503..=503], |list| list.value.into_iter().map(|range| range.value).collect());
    Some(BusyCheck { status, conditions, percent })
}

/// A list of conditions on JSON values.
fn json_conditions(section: &Section<'_>, key: &'static str) -> Vec<JsonCondition> {
    let accepted = "a list such as [{ path = \"license.status\", equals = \"ok\" }]";
    let tables = section.section_list(key, "a condition in json", accepted);
    tables.into_iter().flat_map(|list| list.value).filter_map(json_condition).collect()
}

/// One condition: a path, and exactly one test.
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
    let path = section.required("path", path, "where the value is, for example \"license.status\"");
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
    let given = ["equals", "not_equals", "at_least", "at_most"].map(|key| section.span_of(key).is_some());
    if given.into_iter().filter(|&given| given).count() != 1 {
        let hint = "one of: equals, not_equals, at_least, at_most; several conditions may have the same path";
        section.report.error(section.span.clone(), "a JSON condition needs one test", hint);
    }
    section.finish();
    Some(JsonCondition { path: path?.value, test: test?.value })
}

/// A number or a text, as messages show it.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(digits) => digits.to_string(),
        _ => value.as_str().unwrap_or_default().to_owned(),
    }
}

/// A number, whole or with a fraction.
fn number(value: &DeValue<'_>) -> Result<f64, Unaccepted> {
    let text = match value {
        DeValue::Integer(digits) => integer(digits).map_or_else(|| digits.to_string(), |number| number.to_string()),
        DeValue::Float(digits) => digits.to_string(),
        _ => return Err(mistyped(value, "a number, or with `equals` and `not_equals` also a string or true or false")),
    };
    text.parse().map_err(|_| Unaccepted { message: format!("cannot be {text}"), hint: "accepted: a number".to_owned() })
}
