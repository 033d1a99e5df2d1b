//! Conditions on the body of a response. If one does not hold, its text says what the body has
//! instead: users see it after the word "body".

use std::fmt;

use serde_json::Value;

use super::super::pattern::Pattern;

/// Characters that are shown of a JSON value.
const SHOWN_CHARACTERS: usize = 60;

/// A condition on a body.
#[derive(Clone, Debug, PartialEq)]
pub enum BodyCondition {
    /// The body contains these bytes.
    Contains(Vec<u8>),
    /// A part of the body matches.
    Matches(Pattern),
    /// The body is JSON, and one of its values meets a condition.
    Json(JsonCondition),
}

/// A condition on a value of a JSON body.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonCondition {
    /// Names of members, or indices into arrays, from the outside in; at least one.
    pub path: Vec<String>,
    /// The test of the value.
    pub test: JsonTest,
}

/// A test of a JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonTest {
    /// The same string, number or truth value.
    Equals(Value),
    /// Another value.
    NotEquals(Value),
    /// A number, this one or a higher one.
    AtLeast(f64),
    /// A number, this one or a lower one.
    AtMost(f64),
}

impl BodyCondition {
    /// Judges a body. `json` is its parsed form, if any condition of the check needs it.
    ///
    /// # Errors
    /// The condition does not hold.
    pub(super) fn judge(&self, body: &[u8], json: &Value) -> Result<(), String> {
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
    /// Judges a JSON body.
    ///
    /// # Errors
    /// The condition does not hold.
    pub(super) fn judge(&self, json: &Value) -> Result<(), String> {
        let path = self.path.join(".");
        let Some(value) = self.find(json) else { return Err(format!("lacks {path}")) };
        let number =
            || value.as_f64().ok_or_else(|| format!("has {path} = {}, which is not a number", beginning(value)));
        let holds = match &self.test {
            JsonTest::Equals(wanted) => is_equal(value, wanted),
            JsonTest::NotEquals(unwanted) => !is_equal(value, unwanted),
            JsonTest::AtLeast(least) => number()? >= *least,
            JsonTest::AtMost(most) => number()? <= *most,
        };
        if holds { Ok(()) } else { Err(format!("has {path} = {}, {}", beginning(value), self.test)) }
    }

    /// The value at the path.
    fn find<'j>(&self, json: &'j Value) -> Option<&'j Value> {
        self.path.iter().try_fold(json, |value, name| match value {
            Value::Array(items) => items.get(name.parse::<usize>().ok()?),
            _ => value.get(name),
        })
    }
}

/// A value for messages. It is cut, because a node can send a long one.
fn beginning(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Numbers are compared by value: 80 and 80.0 are equal.
fn is_equal(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

impl fmt::Display for JsonTest {
    /// Says why a value failed the test.
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

    fn judge(path: &str, test: JsonTest) -> Result<(), String> {
        let body = json!({
            "license": { "status": "ok" },
            "scan_queue": { "number_in_queue": 80, "status": true },
            "engines": [{ "name": "a" }, { "name": "b" }],
        });
        JsonCondition { path: path.split('.').map(str::to_owned).collect(), test }.judge(&body)
    }

    #[test]
    fn values_are_found_and_compared() {
        assert_eq!(judge("license.status", JsonTest::Equals(json!("ok"))), Ok(()));
        assert_eq!(judge("engines.1.name", JsonTest::Equals(json!("b"))), Ok(()));
        assert_eq!(judge("scan_queue.number_in_queue", JsonTest::Equals(json!(80.0))), Ok(()));
        assert_eq!(judge("scan_queue.number_in_queue", JsonTest::AtMost(80.0)), Ok(()));
        assert_eq!(judge("license.status", JsonTest::NotEquals(json!("expired"))), Ok(()));
    }

    #[test]
    fn the_reason_holds_the_value() {
        let why = |path, test| judge(path, test).unwrap_err();
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
        assert_eq!(why("license.status", JsonTest::AtLeast(1.0)), "has license.status = \"ok\", which is not a number");
    }
}
