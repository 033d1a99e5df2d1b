//! Texts that are the same in all responses of a node: its error message, and that it does not know
//! a session.

use serde_json::Value;

/// Longest message of a node in an error, in characters.
const MAX_MESSAGE: usize = 200;

/// Responses that are longer, in bytes, do not say `Not Found`; they are not parsed twice.
const MAX_NOT_FOUND: usize = 200;

/// The message of an error response: its member `err`, or all of its text. Shortened, and without
/// control characters, because terminals and logs show it.
pub(crate) fn message(text: &str) -> String {
    let json = serde_json::from_str::<Value>(text).ok();
    let err = json.as_ref().and_then(|json| json.get("err")).and_then(Value::as_str);
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    err.unwrap_or(text).chars().take(MAX_MESSAGE).map(visible).collect::<String>().trim().to_owned()
}

/// Returns true if a response says that the node does not know the session: `{"<id>":"Not Found"}`.
/// Depending on its version, a node sends that with status 200 or 404.
pub(crate) fn is_unknown_session(id: &str, text: &str) -> bool {
    if text.len() >= MAX_NOT_FOUND {
        return false;
    }
    let json = serde_json::from_str::<Value>(text).ok();
    json.is_some_and(|json| json.get(id).and_then(Value::as_str) == Some("Not Found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_short_and_without_control_characters() {
        assert_eq!(message(r#"{"err":"Access denied"}"#), "Access denied");
        assert_eq!(message("<html>\u{1b}[31m502\n</html>"), "<html> [31m502 </html>");
        assert_eq!(message(&"x".repeat(5000)).len(), MAX_MESSAGE);
    }

    #[test]
    fn only_the_session_asked_for_is_unknown() {
        assert!(is_unknown_session("3f2a", r#"{"3f2a":"Not Found"}"#));
        assert!(!is_unknown_session("3f2a", r#"{"3f2b":"Not Found"}"#));
        assert!(!is_unknown_session("3f2a", "Not Found"));
    }
}
