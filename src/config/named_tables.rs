//! Tables that are named by domain names: `[zones."…"]` and `[names."…"]`.
//!
//! Each table is read and then freed. The parsed tables of 100,000 names take more memory than the
//! values that are made of them, so no value borrows from them.

use toml::de::{DeTable, DeValue};

use super::report::Report;
use super::section::Section;
use super::value::{Placed, mistyped};

/// The tables below one key of the file, in its order: of two equal names, the second is reported.
pub(super) struct NamedTables<'a> {
    key: &'static str,
    title: &'static str,
    tables: DeTable<'a>,
    /// The value is not a table of tables, which has been reported.
    is_wrong: bool,
}

impl<'a> NamedTables<'a> {
    /// Takes the tables out of the file. Reports a value that is not a table of tables.
    pub(super) fn take(report: &Report<'_>, file: &mut DeTable<'a>, key: &'static str, title: &'static str) -> Self {
        let (tables, is_wrong) = match file.remove(key).map(|value| (value.span(), value.into_inner())) {
            None => (DeTable::new(), false),
            Some((_, DeValue::Table(tables))) => (tables, false),
            Some((span, other)) => {
                report.value_error(span, key, mistyped(&other, "a table of tables"));
                (DeTable::new(), true)
            }
        };
        Self { key, title, tables, is_wrong }
    }

    /// Returns true if the file has no such table, and no wrong value in its place.
    pub(super) fn is_missing(&self) -> bool {
        self.tables.is_empty() && !self.is_wrong
    }

    /// Calls `read` with each table. Reports entries that are not tables, and names without quotes.
    pub(super) fn read(self, report: &Report<'_>, mut read: impl FnMut(Placed<&str>, Section<'_>)) {
        for (name, value) in self.tables {
            let Some((name, section)) = Section::named(report, self.title, &name, &value) else {
                continue;
            };
            match section.first_subtable() {
                None => read(name, section),
                Some(below) => {
                    let (key, domain) = (self.key, format!("{}.{below}…", name.value));
                    let message = format!("[{key}.{domain}] is a table below a table");
                    report.error(name.span, message, format!("write names with dots in quotes: [{key}.\"{domain}\"]"));
                }
            }
        }
    }
}

/// Returns true for visible ASCII, which is how names are written, with or without a wildcard.
pub(super) fn is_visible_ascii(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_graphic())
}
