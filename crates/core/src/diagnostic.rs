//! What is wrong with a file: where, what, and what would be accepted.
//!
//! ```text
//! config/lb.toml:14:11: error: pool "web" uses monitor "htp-80", which is not defined
//! 14 | monitors = ["htp-80"]
//!    |             ^^^^^^^^ defined monitors: http-80, tcp-443
//! ```
//!
//! Loaders collect diagnostics instead of stopping at the first, so that one run of `evenkeel check` shows everything.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// Bytes of a line that are shown.
const SHOWN: usize = 160;

/// The text of a file, kept so that diagnostics can show its lines.
#[derive(Debug)]
pub struct Source {
    path: Arc<str>,
    text: Vec<u8>,
    /// Where each line begins; made when the first line number is asked for.
    line_starts: OnceLock<Vec<usize>>,
}

impl Source {
    /// A text that is in memory, shown under `path`.
    pub fn from_text(path: &str, text: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), text: text.into(), line_starts: OnceLock::new() }
    }

    /// The bytes of the file.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// An error at a range of bytes.
    pub fn error(&self, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            path: Arc::clone(&self.path),
            place: Some(Box::new(self.place(span))),
            message: message.into(),
            hint: None,
        }
    }

    /// Something that is odd but can be served.
    pub fn warning(&self, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..self.error(span, message) }
    }

    /// Line number of a byte, from 1.
    pub fn line_of(&self, offset: usize) -> usize {
        self.line_starts().partition_point(|&start| start <= offset)
    }

    fn line_starts(&self) -> &[usize] {
        self.line_starts.get_or_init(|| {
            let breaks = self.text.iter().enumerate().filter(|&(_, &b)| b == b'\n');
            std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect()
        })
    }

    fn place(&self, span: Range<usize>) -> Place {
        let start = span.start.min(self.text.len());
        let line = self.line_of(start);
        let line_start = self.line_starts()[line - 1];
        let line_end = self.line_starts().get(line).map_or(self.text.len(), |next| next - 1);
        let end = span.end.clamp(start, line_end);
        // Of a long line only what is around the place is kept: a file may be one line, with an error at every word.
        let shown_from =
            if line_end - line_start > SHOWN { line_start.max(start.saturating_sub(SHOWN / 4)) } else { line_start };
        let text = |range: Range<usize>| String::from_utf8_lossy(&self.text[range]).replace(['\t', '\r'], " ");
        let before = text(shown_from..start).chars().count();
        Place {
            line,
            column: 1 + characters(&self.text[line_start..start]),
            indent: before,
            width: text(start..end.min(start + SHOWN)).chars().count().max(1),
            text: text(shown_from..line_end.min(shown_from + SHOWN)).trim_end().to_owned(),
        }
    }
}

/// Characters of UTF-8 text: bytes that begin one.
fn characters(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Severity {
    /// The file is not used.
    Error,
    /// The file is used all the same.
    Warning,
}

/// Where in a file.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Place {
    /// From 1.
    line: usize,
    /// In characters, from 1.
    column: usize,
    /// Characters of `text` before the place.
    indent: usize,
    /// Characters to underline, at least 1.
    width: usize,
    /// The line, or of a long one the part around the place.
    text: String,
}

/// One problem of one file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Diagnostic {
    severity: Severity,
    path: Arc<str>,
    /// Boxed: diagnostics are carried as errors.
    place: Option<Box<Place>>,
    message: String,
    hint: Option<String>,
}

impl Diagnostic {
    /// A file that cannot be read, when nothing else names it.
    pub fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self {
            severity: Severity::Error,
            path: path.display().to_string().into(),
            place: None,
            message: format!("cannot be read: {error}"),
            hint: None,
        }
    }

    /// Adds what would have been accepted, shown beside the caret.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self
    }

    /// Says something else at the same place.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Whether it keeps the file from being used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    fn sort_key(&self) -> (Arc<str>, usize, usize) {
        let (line, column) = self.place.as_ref().map_or((0, 0), |place| (place.line, place.column));
        (Arc::clone(&self.path), line, column)
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
        write!(f, "{:gutter$} | {:indent$}{}", "", "", "^".repeat((*width).min(SHOWN)))?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " {hint}"))
    }
}

/// What a load found, in the order of files and lines.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds all of another load.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Whether any is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(Diagnostic::is_error)
    }

    /// Those that are errors, counted.
    pub fn error_count(&self) -> usize {
        self.0.iter().filter(|d| d.is_error()).count()
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// Orders them by file, line and column, each once. Warnings are left for when there are no errors: many of them
    /// would only follow from those.
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

/// What could have been meant by an unknown name: the nearest one that is defined, or, when none is near, some of them.
pub fn defined<'c>(what: &str, word: &str, candidates: impl IntoIterator<Item = &'c str> + Clone) -> String {
    const LISTED: usize = 12;
    if let Some(meant) = nearest(word, candidates.clone()) {
        return format!("did you mean \"{meant}\"?");
    }
    let all: Vec<&str> = candidates.into_iter().collect();
    match all.len() {
        0 => format!("no {what} is defined"),
        len if len > LISTED => format!("defined {what}s: {}, and {} more", all[..LISTED].join(", "), len - LISTED),
        _ => format!("defined {what}s: {}", all.join(", ")),
    }
}

/// The candidate most like `word`, when one is near enough to have been meant.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(word, candidate), candidate))
        .filter(|&(distance, candidate)| distance <= 1.max(candidate.len() / 3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance in bytes.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(!x.eq_ignore_ascii_case(&y));
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_line_a_caret_and_what_is_accepted() {
        let source = Source::from_text("lb.toml", "[server]\nlisten = 5\n");
        let shown = source.error(18..19, "`listen` must be a list").hint("for example [\"[::]:53\"]").to_string();
        assert_eq!(
            shown,
            "lb.toml:2:10: error: `listen` must be a list\n\
             2 | listen = 5\n  |          ^ for example [\"[::]:53\"]"
        );
    }

    #[test]
    fn a_place_past_the_end_is_the_end() {
        let source = Source::from_text("x", "ab");
        assert!(source.error(9..12, "gone").to_string().starts_with("x:1:3: error: gone"));
    }

    #[test]
    fn near_words_are_suggested_and_far_ones_not() {
        assert_eq!(nearest("intervall", ["interval", "timeout"]), Some("interval"));
        assert_eq!(nearest("zzz", ["interval", "timeout"]), None);
    }
}
