//! Identifiers that nodes give to files and batches (`data_id`, `batch_id`).
//!
//! They are part of paths, headers and tickets, so only a safe set of characters is accepted.

use serde_json::Value;

/// Longest accepted identifier. Nodes use 32 characters; callers make names of files of them.
const MAX_LENGTH: usize = 128;

/// Returns true if a text is accepted as an identifier: ASCII letters, digits, `-` and `_`, 1 to
/// 128 of them.
pub(crate) fn is_valid(text: &str) -> bool {
    (1..=MAX_LENGTH).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The identifier in a member of a response.
///
/// # Errors
/// The member is missing, or is not accepted as an identifier; describes which.
pub(crate) fn parse(response: &Value, member: &str) -> Result<String, String> {
    let id = response.get(member).and_then(Value::as_str).ok_or_else(|| format!("{member} is missing"))?;
    if is_valid(id) { Ok(id.to_owned()) } else { Err(format!("{member} is not an identifier: {id:?}")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn identifiers_that_would_change_a_path_are_rejected() {
        assert_eq!(parse(&json!({"data_id": "3f2a_0-x"}), "data_id"), Ok("3f2a_0-x".to_owned()));
        assert_eq!(parse(&json!({"data_id": 7}), "data_id"), Err("data_id is missing".to_owned()));
        for id in ["", "../x", "a/b", "a b", "a?b", "ä", &"a".repeat(129)] {
            assert!(parse(&json!({"data_id": id}), "data_id").is_err(), "{id}");
        }
    }
}
