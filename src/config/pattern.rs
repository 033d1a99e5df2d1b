//! Regular expressions.

use regex::bytes::Regex;
use toml::de::DeValue;

use super::value::{Unaccepted, as_str};
use crate::monitor::Pattern;

/// Compiles a regular expression.
pub(super) fn parse(value: &DeValue<'_>) -> Result<Pattern, Unaccepted> {
    Regex::new(as_str(value)?).map(Pattern).map_err(|error| Unaccepted {
        message: "is not a regular expression".to_owned(),
        // The lines before show the expression.
        hint: error.to_string().lines().last().unwrap_or_default().to_owned(),
    })
}
