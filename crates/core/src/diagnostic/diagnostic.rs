//! One problem of a file, and all problems of a load.

use std::path::Path;
use std::sync::Arc;
use std::{fmt, io};

/// The most characters of a line that are shown.
pub(super) const MAX_SHOWN: usize = 160;

/// The effect of a problem on its file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used.
    Warning,
}

/// A place in a file, with the text that is shown for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// From 1.
    pub(super) line: usize,
    /// In characters, from 1.
    pub(super) column: usize,
    /// Characters of `text` before the place.
    pub(super) indent: usize,
    /// Characters to underline, at least 1.
    pub(super) width: usize,
    /// The line, or the part of a long line around the place.
    pub(super) text: String,
}

/// One problem of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Diagnostic {
    pub(super) severity: Severity,
    pub(super) path: Arc<str>,
    /// Boxed to keep results with a diagnostic as their error small.
    pub(super) place: Option<Box<Place>>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Diagnostic {
    /// An error about a file that cannot be read and that no other file names.
    pub fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self {
            severity: Severity::Error,
            path: path.display().to_string().into(),
            place: None,
            message: format!("cannot be read: {error}"),
            hint: None,
        }
    }

    /// Adds what would be accepted. It is shown beside the caret.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self
    }

    /// Replaces the message.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Returns true if the file cannot be used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// File, line and column, then the message: equal problems are neighbours.
    fn sort_key(&self) -> (Arc<str>, usize, usize, String) {
        let (line, column) = self.place.as_ref().map_or((0, 0), |place| (place.line, place.column));
        (Arc::clone(&self.path), line, column, self.message.clone())
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let Some(place) = &self.place else {
            write!(f, "{}: {severity}: {}", self.path, self.message)?;
            return self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"));
        };
        let Place { line, column, indent, width, text } = &**place;
        writeln!(f, "{}:{line}:{column}: {severity}: {}", self.path, self.message)?;
        let gutter = line.to_string().len();
        writeln!(f, "{line} | {text}")?;
        write!(f, "{:gutter$} | {:indent$}{}", "", "", "^".repeat((*width).min(MAX_SHOWN)))?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " {hint}"))
    }
}

/// The problems of a load.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Adds a problem.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds the problems of another load.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Returns true if one is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(Diagnostic::is_error)
    }

    /// Number of errors.
    pub fn error_count(&self) -> usize {
        self.0.iter().filter(|d| d.is_error()).count()
    }

    /// All problems.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// Sorts the problems by file, line and column, each once. Removes warnings if there is an
    /// error: many of them would only be its consequence.
    pub fn settle(&mut self) {
        if self.has_errors() {
            self.0.retain(Diagnostic::is_error);
        }
        self.0.sort_by_cached_key(Diagnostic::sort_key);
        self.0.dedup();
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}
