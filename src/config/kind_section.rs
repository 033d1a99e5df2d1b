//! Tables whose keys depend on their `kind`: `[monitors.NAME]`, `[actions.NAME]` and
//! `[notifications.NAME]`.
//!
//! All of them have a name, a `kind` and a `timeout`. A table of kinds lists the accepted words for
//! `kind`, each with the reader of the keys that only this kind has.

use std::time::Duration;

use super::object_name;
use super::section::Section;
use super::value::{accepted_words, one_of};

/// A kind: its word in the configuration, and the reader of its keys.
pub(super) type Kind<T> = (&'static str, fn(&Section<'_>) -> T);

/// Shortest `timeout`.
const MIN_TIMEOUT: Duration = Duration::from_millis(50);

/// What the tables below one key of the file have in common.
pub(super) struct KindTables<T: 'static> {
    /// The key: `monitors`.
    pub(super) key: &'static str,
    /// As in the reference: `[monitors.NAME]`.
    pub(super) title: &'static str,
    /// What one of them defines, for messages: `monitor`.
    pub(super) object: &'static str,
    /// The accepted kinds.
    pub(super) kinds: &'static [Kind<T>],
    pub(super) max_timeout: Duration,
    pub(super) default_timeout: Duration,
}

/// One such table.
pub(super) struct KindSection<'a, T> {
    pub(super) name: &'a str,
    pub(super) timeout: Duration,
    pub(super) section: Section<'a>,
    /// `None` if the kind is missing or unknown. `KindTables::read` has reported this error.
    reader: Option<fn(&Section<'_>) -> T>,
}

impl<T> KindTables<T> {
    /// Reads name, kind and timeout of each table of the file.
    pub(super) fn read<'a>(&self, root: &Section<'a>) -> Vec<KindSection<'a, T>> {
        let head = |(name, section)| {
            let section: Section<'a> = section;
            object_name::check(section.report, self.object, &name);
            let kind = section.read("kind", one_of(self.kinds));
            let kind = section.required("kind", kind, &accepted_words(self.kinds));
            let timeout = section.duration("timeout", MIN_TIMEOUT..=self.max_timeout);
            let timeout = timeout.map_or(self.default_timeout, |timeout| timeout.value);
            KindSection { name: name.value, timeout, section, reader: kind.map(|kind| kind.value) }
        };
        root.named_sections(self.key, self.title).into_iter().map(head).collect()
    }
}

impl<T> KindSection<'_, T> {
    /// Reads the keys of the kind. Returns `None` if the kind is missing or unknown.
    pub(super) fn read_kind(&self) -> Option<T> {
        self.reader.map(|read| read(&self.section))
    }

    /// Reports unknown keys. Which keys are known depends on the kind, so nothing is reported
    /// without one.
    pub(super) fn finish(self) {
        if self.reader.is_some() {
            self.section.finish();
        }
    }
}
