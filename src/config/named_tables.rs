//! Tables named by domain names, `[zones."…"]` and `[names."…"]`: read one by one, and gone when they have been.
//!
//! The tables of 100,000 names take more memory than all that is made of them, so nothing borrows from them.

use toml::de::{DeTable, DeValue};

use super::section::{Placed, Reading, Section, mistyped};

/// The tables below one key of the file, in its order: of two that are the same, the second is the one too many.
pub(super) struct NamedTables<'a> {
    key: &'static str,
    title: &'static str,
    tables: DeTable<'a>,
    /// Whether something else stands in their place, which was reported.
    is_wrong: bool,
}

impl<'a> NamedTables<'a> {
    /// Takes them out of the file; what is no table of tables is reported.
    pub(super) fn take(reading: &Reading<'_>, file: &mut DeTable<'a>, key: &'static str, title: &'static str) -> Self {
        let (tables, is_wrong) = match file.remove(key).map(|value| (value.span(), value.into_inner())) {
            None => (DeTable::new(), false),
            Some((_, DeValue::Table(tables))) => (tables, false),
            Some((span, other)) => {
                reading.unaccepted(span, key, mistyped(&other, "a table of tables"));
                (DeTable::new(), true)
            }
        };
        Self { key, title, tables, is_wrong }
    }

    /// Whether there are none, nor anything in their place.
    pub(super) fn is_missing(&self) -> bool {
        self.tables.is_empty() && !self.is_wrong
    }

    /// Has each read by a function. What is no table, or was written without quotes, is reported instead.
    pub(super) fn read(self, reading: &Reading<'_>, mut read: impl FnMut(Placed<&str>, Section<'_>)) {
        for (name, value) in self.tables {
            let Some((name, section)) = Section::named_entry(reading, self.title, &name, &value) else {
                continue;
            };
            match section.table_below() {
                None => read(name, section),
                Some(below) => {
                    let (key, domain) = (self.key, format!("{}.{below}…", name.value));
                    let message = format!("[{key}.{domain}] is a table below a table");
                    reading.error(name.span, message, format!("names with dots stand in quotes: [{key}.\"{domain}\"]"));
                }
            }
        }
    }
}
