//! Reading tables of a TOML file with the place of every value.
//!
//! serde would stop at the first wrong type; a [`Section`] reads one key after the other, notes what is wrong with
//! each, and at the end knows which keys nobody asked for. So one run reports every mistake, and the list of accepted
//! keys is the list of keys that are read.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use evenkeel_core::diagnostic::{Diagnostic, Diagnostics, Source, nearest};

/// Every key that was asked for, by the title of its table.
pub type KnownKeys = BTreeMap<&'static str, BTreeSet<&'static str>>;

/// A file being read, and what was found on the way.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) source: &'a Source,
    pub(super) problems: RefCell<Diagnostics>,
    pub(super) keys: RefCell<KnownKeys>,
}

impl Reading<'_> {
    pub(super) fn push(&self, diagnostic: Diagnostic) {
        self.problems.borrow_mut().push(diagnostic);
    }

    pub(super) fn error(&self, span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        self.push(self.source.error(span, message).hint(hint));
    }

    /// Reports the value of a key that is not accepted.
    pub(super) fn unaccepted(&self, span: Range<usize>, key: &str, why: Unaccepted) {
        self.error(span, format!("`{key}` {}", why.message), why.hint);
    }

    pub(super) fn warn(&self, span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        self.push(self.source.warning(span, message).hint(hint));
    }
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl<T> Placed<T> {
    pub(super) fn map<U>(self, f: impl FnOnce(T) -> U) -> Placed<U> {
        Placed { value: f(self.value), span: self.span }
    }
}

/// Why a value is not accepted, and what would be.
pub(super) struct Unaccepted {
    pub(super) message: String,
    pub(super) hint: String,
}

/// A table whose keys are being read.
pub(super) struct Section<'a> {
    pub(super) reading: &'a Reading<'a>,
    /// As in the reference: `[pools.NAME]`.
    title: &'static str,
    /// As in the file: `[pools.core]`.
    shown: String,
    /// Where the table's name stands.
    pub(super) span: Range<usize>,
    entries: Option<&'a DeTable<'a>>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    /// `entries` is `None` for a table that is not in the file: every key has its default then.
    pub(super) fn new(
        reading: &'a Reading<'a>,
        title: &'static str,
        span: Range<usize>,
        entries: Option<&'a DeTable<'a>>,
    ) -> Self {
        Self { reading, title, shown: title.to_owned(), span, entries, asked: RefCell::default() }
    }

    /// Makes a key known that was taken out of the table before.
    pub(super) fn knows(&self, taken: &'static str) {
        self.asked.borrow_mut().push(taken);
    }

    fn get(&self, key: &'static str) -> Option<Placed<&'a DeValue<'a>>> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        let value = self.entries?.get(key)?;
        Some(Placed { value: value.get_ref(), span: value.span() })
    }

    /// Whether the key stands in the file.
    pub(super) fn place_of(&self, key: &'static str) -> Option<Range<usize>> {
        self.get(key).map(|value| value.span)
    }

    /// Reads a key by a function that says what it accepts.
    pub(super) fn read<T>(
        &self,
        key: &'static str,
        parse: impl FnOnce(&'a DeValue<'a>) -> Result<T, Unaccepted>,
    ) -> Option<Placed<T>> {
        let Placed { value, span } = self.get(key)?;
        match parse(value) {
            Ok(value) => Some(Placed { value, span }),
            Err(why) => {
                self.reading.unaccepted(span, key, why);
                None
            }
        }
    }

    pub(super) fn string(&self, key: &'static str) -> Option<Placed<&'a str>> {
        self.read(key, as_str)
    }

    pub(super) fn boolean(&self, key: &'static str) -> Option<bool> {
        let parse = |value: &DeValue<'_>| value.as_bool().ok_or_else(|| mistyped(value, "true or false"));
        self.read(key, parse).map(|placed| placed.value)
    }

    /// A whole number within a range.
    pub(super) fn integer(&self, key: &'static str, range: RangeInclusive<u32>) -> Option<Placed<u32>> {
        let accepted = format!("a whole number from {} to {}", range.start(), range.end());
        self.read(key, |value| {
            let DeValue::Integer(digits) = value else {
                return Err(mistyped(value, &accepted));
            };
            let number = u32::from_str_radix(digits.as_str(), digits.radix()).ok();
            number.filter(|number| range.contains(number)).ok_or_else(|| Unaccepted {
                message: format!("is out of range: {digits}"),
                hint: format!("accepted: {accepted}"),
            })
        })
    }

    /// A duration with units, within a range.
    pub(super) fn duration(&self, key: &'static str, range: RangeInclusive<Duration>) -> Option<Placed<Duration>> {
        let (from, to) = (in_units(*range.start()), in_units(*range.end()));
        let accepted = format!("a duration such as \"2s\", \"500ms\" or \"1m30s\", from {from} to {to}");
        self.read(key, |value| {
            let text = value.as_str().ok_or_else(|| mistyped(value, &accepted))?;
            parse_duration(text).filter(|duration| range.contains(duration)).ok_or_else(|| Unaccepted {
                message: format!("is no duration in range: \"{text}\""),
                hint: format!("accepted: {accepted}"),
            })
        })
    }

    /// The items of an array, each read by the same function; `None` when any of them is not accepted.
    pub(super) fn list<T>(
        &self,
        key: &'static str,
        accepted: &str,
        parse: impl Fn(&'a DeValue<'a>) -> Result<T, Unaccepted>,
    ) -> Option<Placed<Vec<Placed<T>>>> {
        let as_array = |value: &'a DeValue<'a>| value.as_array().ok_or_else(|| mistyped(value, accepted));
        let Placed { value: items, span } = self.read(key, as_array)?;
        let item = |item: &'a Spanned<DeValue<'a>>| match parse(item.get_ref()) {
            Ok(value) => Some(Placed { value, span: item.span() }),
            Err(Unaccepted { message, hint }) => {
                self.reading.error(item.span(), format!("an item of `{key}` {message}"), hint);
                None
            }
        };
        // All of them are read, so that every mistake is seen.
        let value: Vec<_> = items.iter().filter_map(item).collect();
        (value.len() == items.len()).then_some(Placed { value, span })
    }

    /// A table below this one.
    pub(super) fn section(&self, key: &'static str, title: &'static str) -> Option<Self> {
        let as_table = |value: &'a DeValue<'a>| value.as_table().ok_or_else(|| mistyped(value, "a table"));
        let table = self.read(key, as_table)?;
        Some(Section::new(self.reading, title, self.key_span(key), Some(table.value)))
    }

    /// The tables below `key`, each with its own name, in the order of the file.
    pub(super) fn named(&self, key: &'static str, title: &'static str) -> Vec<(Placed<&'a str>, Self)> {
        let as_table = |value: &'a DeValue<'a>| value.as_table().ok_or_else(|| mistyped(value, "a table of tables"));
        let Some(tables) = self.read(key, as_table) else {
            return Vec::new();
        };
        let entry = |(name, value)| Section::named_entry(self.reading, title, name, value);
        tables.value.iter().filter_map(entry).collect()
    }

    /// One of several tables, with its own name.
    pub(super) fn named_entry(
        reading: &'a Reading<'a>,
        title: &'static str,
        name: &'a Spanned<DeString<'a>>,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Option<(Placed<&'a str>, Self)> {
        let name = Placed { value: &**name.get_ref(), span: name.span() };
        let Some(table) = value.get_ref().as_table() else {
            reading.unaccepted(value.span(), name.value, mistyped(value.get_ref(), "a table"));
            return None;
        };
        let section = Section::new(reading, title, name.span.clone(), Some(table)).shown_as(name.value);
        Some((name, section))
    }

    /// Name of the first table within this one.
    pub(super) fn table_below(&self) -> Option<&'a str> {
        let (name, _) = self.entries?.iter().find(|(_, value)| value.get_ref().is_table())?;
        Some(name.get_ref())
    }

    /// The tables of an array.
    pub(super) fn tables(&self, key: &'static str, title: &'static str, accepted: &str) -> Option<Placed<Vec<Self>>> {
        let table = |value: &'a DeValue<'a>| value.as_table().ok_or_else(|| mistyped(value, accepted));
        let items = self.list(key, accepted, table)?;
        Some(items.map(|items| {
            items.into_iter().map(|item| Section::new(self.reading, title, item.span, Some(item.value))).collect()
        }))
    }

    /// Shows the table under its own name.
    fn shown_as(mut self, name: &str) -> Self {
        self.shown = self.title.replace("NAME", &name.escape_debug().to_string());
        self
    }

    /// The table's title, as in the file.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// All entries of a table whose keys are free, in the order of the file.
    pub(super) fn entries(&self) -> Vec<(Placed<&'a str>, Placed<&'a DeValue<'a>>)> {
        let entry = |(key, value): (&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>)| {
            let key = Placed { value: &**key.get_ref(), span: key.span() };
            (key, Placed { value: value.get_ref(), span: value.span() })
        };
        self.entries.into_iter().flatten().map(entry).collect()
    }

    fn key_span(&self, key: &str) -> Range<usize> {
        self.entries.and_then(|entries| entries.get_key_value(key)).map_or(0..0, |(key, _)| key.span())
    }

    /// Reports a key without a default that is not there; one that is there but wrong has been reported already.
    pub(super) fn required<T>(&self, key: &'static str, value: Option<T>, hint: &str) -> Option<T> {
        if value.is_none() && self.place_of(key).is_none() {
            self.reading.error(self.span.clone(), format!("`{key}` is missing"), hint);
        }
        value
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn finish(self) {
        let asked = self.asked.into_inner();
        self.reading.keys.borrow_mut().entry(self.title).or_default().extend(&asked);
        for key in self.entries.into_iter().flat_map(DeTable::keys) {
            let name: &str = key.get_ref();
            if asked.contains(&name) {
                continue;
            }
            let hint = match nearest(name, asked.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("accepted: {}", asked.join(", ")),
            };
            self.reading.error(key.span(), format!("unknown key `{name}` in {}", self.shown), hint);
        }
    }
}

/// A string.
pub(super) fn as_str<'a>(value: &'a DeValue<'a>) -> Result<&'a str, Unaccepted> {
    value.as_str().ok_or_else(|| mistyped(value, "a string"))
}

/// One of some words.
pub(super) fn one_of<'w, T: Clone>(words: &'w [(&'w str, T)]) -> impl Fn(&DeValue<'_>) -> Result<T, Unaccepted> + 'w {
    move |value| {
        let word = as_str(value)?;
        let hint = || {
            format!("accepted: {}", words.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(", "))
        };
        let found = words.iter().find(|(accepted, _)| *accepted == word).map(|(_, meaning)| meaning.clone());
        found.ok_or_else(|| Unaccepted { message: format!("cannot be \"{word}\""), hint: hint() })
    }
}

/// Something that is read from a string by its `FromStr`.
pub(super) fn parsed<T: std::str::FromStr>(accepted: &str) -> impl Fn(&DeValue<'_>) -> Result<T, Unaccepted> {
    let hint = format!("accepted: {accepted}");
    move |value| {
        let text = as_str(value)?;
        text.parse().map_err(|_| Unaccepted { message: format!("cannot be \"{text}\""), hint: hint.clone() })
    }
}

/// A value of another type than expected.
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

/// Numbers with the units ms, s, m, h and d, as in `1m30s`.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let value: u32 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = match &rest[..letters] {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            "d" => Duration::from_secs(86_400),
            _ => return None,
        };
        total = total.checked_add(unit.checked_mul(value)?)?;
        rest = &rest[letters..];
    }
    (!text.is_empty()).then_some(total)
}

/// A duration as a file would say it, in its largest whole unit.
pub(super) fn in_units(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        _ if duration.subsec_millis() > 0 => format!("{}ms", duration.as_millis()),
        0 => "0s".to_owned(),
        _ if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        _ if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

/// Reports a name that cannot be shown in one piece in messages and written as `pool/node`.
pub(super) fn check_word(reading: &Reading<'_>, what: &str, word: &Placed<&str>) {
    let is_visible = word.value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    // Names stand in the paths of URLs, where dots alone mean something else.
    let is_path = matches!(word.value, "" | "." | "..");
    if is_path || !is_visible {
        let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        let message = format!("\"{}\" cannot be the name of {article} {what}", word.value.escape_debug());
        reading.error(word.span.clone(), message, "accepted: visible ASCII characters without spaces or slashes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let ms = |text| parse_duration(text).map(|d| d.as_millis());
        assert_eq!(ms("2s"), Some(2000));
        assert_eq!(ms("1m30s"), Some(90_000));
        assert_eq!(ms("500ms"), Some(500));
        assert_eq!(ms("0s"), Some(0));
        for text in ["0s", "50ms", "1500ms", "90s", "2m", "3h", "1d"] {
            assert_eq!(in_units(parse_duration(text).unwrap()), text);
        }
        for text in ["", "2", "s", "2 s", "-1s", "1.5s", "2S", "4294967296s", "1s2"] {
            assert_eq!(ms(text), None, "{text}");
        }
    }
}
