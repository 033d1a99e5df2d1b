//! What the loader finds in a configuration file: problems with their places, and the keys that it
//! reads.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;

use evenkeel_core::diagnostic::{Diagnostic, Diagnostics, Source};

use super::origin::Origin;
use super::value::{Placed, Unaccepted};

/// Every key that the loader reads, by the title of its table.
pub type KnownKeys = BTreeMap<&'static str, BTreeSet<&'static str>>;

/// Collects the problems of one configuration file.
///
/// All readers of a load share it. A reader reports a problem and goes on, so that one run shows
/// every mistake.
#[derive(Debug)]
pub(super) struct Report<'a> {
    /// The text of the file; diagnostics show its lines.
    pub(super) source: &'a Source,
    /// Where the file comes from, and the files that it names.
    pub(super) origin: &'a Origin,
    pub(super) problems: RefCell<Diagnostics>,
    pub(super) keys: RefCell<KnownKeys>,
}

impl<'a> Report<'a> {
    /// An empty report on a file.
    pub(super) fn new(source: &'a Source, origin: &'a Origin) -> Self {
        Self { source, origin, problems: RefCell::default(), keys: RefCell::default() }
    }

    /// Adds a problem.
    pub(super) fn add(&self, problem: Diagnostic) {
        self.problems.borrow_mut().push(problem);
    }

    /// Adds an error at a place of the file.
    pub(super) fn error(&self, span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        self.add(self.source.error(span, message).with_hint(hint));
    }

    /// Adds a warning at a place of the file.
    pub(super) fn warn(&self, span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        self.add(self.source.warning(span, message).with_hint(hint));
    }

    /// Adds an error about the value of a key.
    pub(super) fn value_error(&self, span: Range<usize>, key: &str, why: Unaccepted) {
        self.error(span, format!("`{key}` {}", why.message), why.hint);
    }

    /// Adds an error about a file that the configuration names, at the place of its name.
    pub(super) fn file_error(&self, file: &Placed<PathBuf>, message: &str, hint: &str) {
        self.error(file.span.clone(), format!("{}: {message}", file.value.display()), hint);
    }
}
