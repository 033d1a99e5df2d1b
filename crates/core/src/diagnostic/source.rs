//! The text of a file, and the places in it.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::diagnostic::{Diagnostic, MAX_SHOWN, Place, Severity};

/// The text of a file. Diagnostics show lines of it.
#[derive(Debug)]
pub struct Source {
    path: Arc<str>,
    text: Vec<u8>,
    /// Offset of each line, computed for the first diagnostic.
    line_starts: OnceLock<Vec<usize>>,
}

impl Source {
    /// A text in memory. Diagnostics show `path` as its path.
    pub fn from_text(path: &str, text: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), text: text.into(), line_starts: OnceLock::new() }
    }

    /// The path of the file, as diagnostics show it.
    pub fn path(&self) -> &str {
        &self.path
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

    /// A warning at a range of bytes: the file can still be used.
    pub fn warning(&self, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..self.error(span, message) }
    }

    /// Line number of a byte, from 1.
    pub fn line_of(&self, offset: usize) -> usize {
        self.line_starts().partition_point(|&start| start <= offset)
    }

    /// Byte offset of the start of each line.
    fn line_starts(&self) -> &[usize] {
        self.line_starts.get_or_init(|| {
            let breaks = self.text.iter().enumerate().filter(|&(_, &b)| b == b'\n');
            std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect()
        })
    }

    /// The place of a range of bytes, as it is shown.
    fn place(&self, span: Range<usize>) -> Place {
        let start = span.start.min(self.text.len());
        let line = self.line_of(start);
        let line_start = self.line_starts()[line - 1];
        let line_end = self.line_starts().get(line).map_or(self.text.len(), |next| next - 1);
        let end = span.end.clamp(start, line_end);
        // Only a part of a long line is kept: a file may be one line, with an error at each word.
        let shown_from = if line_end - line_start > MAX_SHOWN {
            line_start.max(start.saturating_sub(MAX_SHOWN / 4))
        } else {
            line_start
        };
        let text = |range: Range<usize>| String::from_utf8_lossy(&self.text[range]).replace(char::is_control, " ");
        let before = text(shown_from..start).chars().count();
        Place {
            line,
            column: 1 + count_characters(&self.text[line_start..start]),
            indent: before,
            width: text(start..end.min(start + MAX_SHOWN)).chars().count().max(1),
            text: text(shown_from..line_end.min(shown_from + MAX_SHOWN)).trim_end().to_owned(),
        }
    }
}

/// Number of characters of a UTF-8 text: the bytes that begin one.
fn count_characters(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::super::Diagnostics;
    use super::*;

    #[test]
    fn a_diagnostic_shows_the_line_a_caret_and_what_is_accepted() {
        let source = Source::from_text("lb.toml", "[server]\nlisten = 5\n");
        let shown = source.error(18..19, "`listen` must be a list").with_hint("for example [\"[::]:53\"]").to_string();
        assert_eq!(
            shown,
            "lb.toml:2:10: error: `listen` must be a list\n\
             2 | listen = 5\n  |          ^ for example [\"[::]:53\"]"
        );
    }

    #[test]
    fn each_problem_of_a_place_is_shown_once() {
        let source = Source::from_text("x", "ab");
        let mut problems = Diagnostics::default();
        for message in ["one", "two", "one", "two"] {
            problems.push(source.error(0..1, message));
        }
        problems.settle();
        assert_eq!(problems.error_count(), 2);
    }

    #[test]
    fn a_place_behind_the_end_of_a_file_is_its_end() {
        let source = Source::from_text("x", "ab");
        assert!(source.error(9..12, "gone").to_string().starts_with("x:1:3: error: gone"));
    }
}
