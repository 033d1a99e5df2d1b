//! Readers of single TOML values. Each returns the value, or why it is not accepted and what is.

use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use toml::de::{DeInteger, DeValue};

/// A value and its place in the file.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    /// The bytes of the file that hold it.
    pub(super) span: Range<usize>,
}

impl<T> Placed<T> {
    /// Another value at the same place.
    pub(super) fn map<U>(self, f: impl FnOnce(T) -> U) -> Placed<U> {
        Placed { value: f(self.value), span: self.span }
    }
}

/// Why a value is not accepted.
pub(super) struct Unaccepted {
    /// Follows the key: "is out of range: 0".
    pub(super) message: String,
    /// What is accepted.
    pub(super) hint: String,
}

/// A string.
pub(super) fn as_str<'a>(value: &'a DeValue<'a>) -> Result<&'a str, Unaccepted> {
    value.as_str().ok_or_else(|| mistyped(value, "a string"))
}

/// `true` or `false`.
pub(super) fn as_bool(value: &DeValue<'_>) -> Result<bool, Unaccepted> {
    value.as_bool().ok_or_else(|| mistyped(value, "true or false"))
}

/// The value of an integer, which TOML may write with base 2, 8, 10 or 16. `None` if it is negative
/// or has more than 64 bits.
pub(super) fn integer(digits: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(digits.as_str(), digits.radix()).ok()
}

/// A whole number within a range.
pub(super) fn whole_number(range: RangeInclusive<u32>) -> impl Fn(&DeValue<'_>) -> Result<u32, Unaccepted> {
    let accepted = format!("a whole number from {} to {}", range.start(), range.end());
    move |value| {
        let DeValue::Integer(digits) = value else {
            return Err(mistyped(value, &accepted));
        };
        let number = integer(digits).and_then(|number| u32::try_from(number).ok());
        number.filter(|number| range.contains(number)).ok_or_else(|| Unaccepted {
            message: format!("is out of range: {digits}"),
            hint: format!("accepted: {accepted}"),
        })
    }
}

/// One of some words; each has a meaning.
pub(super) fn one_of<'w, T: Clone>(words: &'w [(&'w str, T)]) -> impl Fn(&DeValue<'_>) -> Result<T, Unaccepted> + 'w {
    move |value| {
        let word = as_str(value)?;
        let found = words.iter().find(|(accepted, _)| *accepted == word).map(|(_, meaning)| meaning.clone());
        let refused = || Unaccepted { message: format!("cannot be \"{word}\""), hint: accepted_words(words) };
        found.ok_or_else(refused)
    }
}

/// `accepted: "http", "tcp"`.
pub(super) fn accepted_words<T>(words: &[(&str, T)]) -> String {
    let quoted: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    format!("accepted: {}", quoted.join(", "))
}

/// A string that `FromStr` parses.
pub(super) fn parsed<T: FromStr>(accepted: &str) -> impl Fn(&DeValue<'_>) -> Result<T, Unaccepted> {
    let hint = format!("accepted: {accepted}");
    move |value| {
        let text = as_str(value)?;
        text.parse().map_err(|_| Unaccepted { message: format!("cannot be \"{text}\""), hint: hint.clone() })
    }
}

/// The error for a value of the wrong type.
pub(super) fn mistyped(value: &DeValue<'_>, accepted: &str) -> Unaccepted {
    let found = match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Unaccepted { message: format!("must not be {found}"), hint: format!("accepted: {accepted}") }
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    #[test]
    fn integers_of_every_base_are_read() {
        let text = "a = 16\nb = 0x10\nc = 0o20\nd = 0b1_0000\ne = 1_6";
        for (key, value) in DeTable::parse(text).unwrap().get_ref() {
            assert_eq!(whole_number(1..=16)(value.get_ref()).ok(), Some(16), "{key:?}");
        }
        assert!(whole_number(1..=16)(DeTable::parse("a = -1").unwrap().get_ref()["a"].get_ref()).is_err());
    }
}
