//! The rules (workflows) of a node: which one applies to an upload, and `GET /file/rules`.

use axum::Json;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use crate::headers::decoded;

/// A rule. An upload names one in the header `rule`.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    /// Largest accepted file in bytes.
    pub(crate) max_file_size: u64,
    /// The only value of the header `user_agent` with which clients may use it.
    user_agent: Option<&'static str>,
    /// Files without a threat get a sanitized copy.
    pub(crate) sanitizes: bool,
}

/// All rules. The first one applies to uploads that name none.
static RULES: [Rule; 3] = [
    Rule { name: "File process", max_file_size: 1 << 40, user_agent: None, sanitizes: false },
    Rule { name: "sanitize", max_file_size: 1 << 40, user_agent: None, sanitizes: true },
    Rule { name: "kiosk", max_file_size: 1_000_000, user_agent: Some("kiosk"), sanitizes: false },
];

/// The rules that a client with this header `user_agent` may use.
fn rules_for(user_agent: &str) -> impl Iterator<Item = &'static Rule> {
    RULES.iter().filter(move |rule| rule.user_agent.is_none_or(|only| only == user_agent))
}

impl Rule {
    /// Returns the rule that the headers of an upload or a new batch name, or else `default`, or
    /// else the first rule. Returns `None` if there is no such rule for this client.
    pub(crate) fn named(headers: &HeaderMap, default: Option<&'static Self>) -> Option<&'static Self> {
        let wanted = decoded(headers, "rule").or_else(|| decoded(headers, "workflow"));
        let user_agent = decoded(headers, "user_agent").unwrap_or_default();
        let mut rules = rules_for(&user_agent);
        match (wanted, default) {
            (Some(wanted), _) => rules.find(|rule| rule.name == wanted),
            (None, Some(default)) => Some(default),
            (None, None) => rules.next(),
        }
    }
}

/// `GET /file/rules`.
pub(crate) async fn list_rules(headers: HeaderMap) -> Json<Value> {
    let user_agent = decoded(&headers, "user_agent").unwrap_or_default();
    let rules = rules_for(&user_agent).map(|rule| json!({ "max_file_size": rule.max_file_size, "name": rule.name }));
    Json(rules.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(headers: &[(&'static str, &'static str)]) -> Option<&'static str> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Rule::named(&HeaderMap::from_iter(headers), None).map(|rule| rule.name)
    }

    #[test]
    fn a_rule_of_another_user_agent_is_as_unknown_as_a_missing_one() {
        assert_eq!(named(&[]), Some("File process"));
        assert_eq!(named(&[("rule", "File%20process")]), Some("File process"));
        assert_eq!(named(&[("workflow", "sanitize")]), Some("sanitize"));
        assert_eq!(named(&[("rule", "missing")]), None);
        assert_eq!(named(&[("rule", "kiosk")]), None);
        assert_eq!(named(&[("rule", "kiosk"), ("user_agent", "kiosk")]), Some("kiosk"));
    }
}
