//! Reads the keys of one table of the configuration, each with its place.
//!
//! A [`Section`] reads one key after the other and reports what is wrong with each.
//! [`Section::finish`] reports the keys that were not read, so the accepted keys are exactly the
//! keys that some reader reads. serde would stop at the first wrong type.

use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use evenkeel_core::diagnostic::nearest;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::duration;
use super::report::Report;
use super::value::{Placed, Unaccepted, as_bool, as_str, mistyped, whole_number};

/// A table whose keys are being read.
pub(super) struct Section<'a> {
    pub(super) report: &'a Report<'a>,
    /// As in the reference: `[pools.NAME]`.
    title: &'static str,
    /// As in the file: `[pools.core]`.
    heading: String,
    /// The place of the table's name.
    pub(super) span: Range<usize>,
    entries: Option<&'a DeTable<'a>>,
    known_keys: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    /// `entries` is `None` for a table that is not in the file: then every key has its default.
    pub(super) fn new(
        report: &'a Report<'a>,
        title: &'static str,
        span: Range<usize>,
        entries: Option<&'a DeTable<'a>>,
    ) -> Self {
        Self { report, title, heading: title.to_owned(), span, entries, known_keys: RefCell::default() }
    }

    /// One of several tables below the same key, under its own name.
    pub(super) fn named(
        report: &'a Report<'a>,
        title: &'static str,
        name: &'a Spanned<DeString<'a>>,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Option<(Placed<&'a str>, Self)> {
        let name = Placed { value: &**name.get_ref(), span: name.span() };
        let Some(table) = value.get_ref().as_table() else {
            report.value_error(value.span(), name.value, mistyped(value.get_ref(), "a table"));
            return None;
        };
        let heading = title.replace("NAME", &name.value.escape_debug().to_string());
        let section = Section { heading, ..Section::new(report, title, name.span.clone(), Some(table)) };
        Some((name, section))
    }

    /// The name of the table as in the file: `[pools.core]`.
    pub(super) fn heading(&self) -> &str {
        &self.heading
    }

    /// Accepts a key that is read elsewhere.
    pub(super) fn accept(&self, key: &'static str) {
        let mut known = self.known_keys.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
    }

    /// The value of a key, which is known from then on.
    fn get(&self, key: &'static str) -> Option<Placed<&'a DeValue<'a>>> {
        self.accept(key);
        let value = self.entries?.get(key)?;
        Some(Placed { value: value.get_ref(), span: value.span() })
    }

    /// The place of a key's value, if the file has the key.
    pub(super) fn span_of(&self, key: &'static str) -> Option<Range<usize>> {
        self.get(key).map(|value| value.span)
    }

    /// Reads a key. Returns `None` if it is missing, or if `parse` does not accept its value.
    pub(super) fn read<T>(
        &self,
        key: &'static str,
        parse: impl FnOnce(&'a DeValue<'a>) -> Result<T, Unaccepted>,
    ) -> Option<Placed<T>> {
        let Placed { value, span } = self.get(key)?;
        match parse(value) {
            Ok(value) => Some(Placed { value, span }),
            Err(why) => {
                self.report.value_error(span, key, why);
                None
            }
        }
    }

    /// Reports a required key that is missing. A wrong value has been reported already.
    pub(super) fn required<T>(&self, key: &'static str, value: Option<T>, hint: &str) -> Option<T> {
        if value.is_none() && self.span_of(key).is_none() {
            self.report.error(self.span.clone(), format!("`{key}` is missing"), hint);
        }
        value
    }

    /// A string.
    pub(super) fn string(&self, key: &'static str) -> Option<Placed<&'a str>> {
        self.read(key, as_str)
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, key: &'static str) -> Option<bool> {
        self.read(key, as_bool).map(|placed| placed.value)
    }

    /// A whole number within a range.
    pub(super) fn integer(&self, key: &'static str, range: RangeInclusive<u32>) -> Option<Placed<u32>> {
        self.read(key, whole_number(range))
    }

    /// A duration with units, within a range.
    pub(super) fn duration(&self, key: &'static str, range: RangeInclusive<Duration>) -> Option<Placed<Duration>> {
        self.read(key, duration::within(range))
    }

    /// The path of a file that the configuration names.
    pub(super) fn path(&self, key: &'static str) -> Option<Placed<PathBuf>> {
        self.string(key).map(|named| named.map(|named| self.report.origin.path(named)))
    }

    /// The items of an array. Returns `None` if `parse` does not accept all of them.
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
                self.report.error(item.span(), format!("an item of `{key}` {message}"), hint);
                None
            }
        };
        // Every item is read, so that every mistake is reported.
        let value: Vec<_> = items.iter().filter_map(item).collect();
        (value.len() == items.len()).then_some(Placed { value, span })
    }

    /// A table below this one.
    pub(super) fn subsection(&self, key: &'static str, title: &'static str) -> Option<Self> {
        let table = self.table(key, "a table")?;
        let name = self.entries.and_then(|entries| entries.get_key_value(key));
        let span = name.map_or(0..0, |(name, _)| name.span());
        Some(Section::new(self.report, title, span, Some(table)))
    }

    /// The tables below a key, each with its name, in the order of the file.
    pub(super) fn named_sections(&self, key: &'static str, title: &'static str) -> Vec<(Placed<&'a str>, Self)> {
        let tables = self.table(key, "a table of tables");
        let named = |(name, value)| Section::named(self.report, title, name, value);
        tables.into_iter().flatten().filter_map(named).collect()
    }

    /// The tables of an array.
    pub(super) fn section_list(
        &self,
        key: &'static str,
        title: &'static str,
        accepted: &str,
    ) -> Option<Placed<Vec<Self>>> {
        let as_table = |value: &'a DeValue<'a>| value.as_table().ok_or_else(|| mistyped(value, accepted));
        let items = self.list(key, accepted, as_table)?;
        let section = |item: Placed<_>| Section::new(self.report, title, item.span, Some(item.value));
        Some(items.map(|items| items.into_iter().map(section).collect()))
    }

    /// The entries of a table below this one with keys that users choose, in the order of the file.
    pub(super) fn free_entries(&self, key: &'static str) -> Vec<(Placed<&'a str>, Placed<&'a DeValue<'a>>)> {
        let entry = |(key, value): (&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>)| {
            let key = Placed { value: &**key.get_ref(), span: key.span() };
            (key, Placed { value: value.get_ref(), span: value.span() })
        };
        self.table(key, "a table").into_iter().flatten().map(entry).collect()
    }

    /// The name of the first table below this one.
    pub(super) fn first_subtable(&self) -> Option<&'a str> {
        let (name, _) = self.entries?.iter().find(|(_, value)| value.get_ref().is_table())?;
        Some(name.get_ref())
    }

    /// The table below a key.
    fn table(&self, key: &'static str, accepted: &str) -> Option<&'a DeTable<'a>> {
        let as_table = |value: &'a DeValue<'a>| value.as_table().ok_or_else(|| mistyped(value, accepted));
        self.read(key, as_table).map(|table| table.value)
    }

    /// Reports the keys that no reader has read.
    pub(super) fn finish(self) {
        let known = self.known_keys.into_inner();
        self.report.keys.borrow_mut().entry(self.title).or_default().extend(&known);
        for key in self.entries.into_iter().flat_map(DeTable::keys) {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let hint = match nearest(name, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("accepted: {}", known.join(", ")),
            };
            self.report.error(key.span(), format!("unknown key `{name}` in {}", self.heading), hint);
        }
    }
}
