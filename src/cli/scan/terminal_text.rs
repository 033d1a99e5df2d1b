//! Text from outside (file names, messages of nodes) made safe and short enough for a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Longest reason in the table, in characters.
const MAX_REASON: usize = 200;

/// Replaces characters that move the cursor or reverse the direction of text (bidirectional
/// controls of Unicode).
fn safe(c: char) -> char {
    match c {
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '?',
        c if c.is_control() => '?',
        c => c,
    }
}

/// A text in exactly `columns` columns. A longer text keeps its end: the end of a path says more
/// than its start.
pub(super) fn fit(text: &str, columns: usize) -> String {
    let safe_text: String = text.chars().map(safe).collect();
    let shown = if safe_text.width() <= columns {
        safe_text
    } else {
        let mut left = columns.saturating_sub(1);
        let end = safe_text.chars().rev().take_while(|c| {
            let width = c.width().unwrap_or(0);
            let fits = width <= left;
            left -= width.min(left);
            fits
        });
        let mut reversed: Vec<char> = end.collect();
        reversed.push('…');
        reversed.into_iter().rev().collect()
    };
    let padding = columns.saturating_sub(shown.width());
    shown + &" ".repeat(padding)
}

/// The start of a text, at most `MAX_REASON` characters of it.
pub(super) fn clip(text: &str) -> String {
    let mut safe_text = text.chars().map(safe);
    let start: String = safe_text.by_ref().take(MAX_REASON).collect();
    if safe_text.next().is_some() { start + "…" } else { start }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fill_their_columns_and_keep_their_end() {
        assert_eq!(fit("a/b.txt", 7), "a/b.txt");
        assert_eq!(fit("a", 3), "a  ");
        assert_eq!(fit("folder/b.txt", 7), "…/b.txt");
        // Each character is two columns wide; one column is left over.
        assert_eq!(fit("木木木木木", 10), "木木木木木");
        assert_eq!(fit("木木木木木", 8), "…木木木 ");
    }

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(fit("a\u{1b}[31m\u{202e}", 9), "a?[31m?  ");
        assert_eq!(clip("a\u{61c}b"), "a?b");
        assert_eq!(clip("a\nb"), "a?b");
    }

    #[test]
    fn long_reasons_are_clipped() {
        assert_eq!(clip(&"x".repeat(300)).chars().count(), MAX_REASON + 1);
        assert_eq!(clip("all nodes are too busy"), "all nodes are too busy");
    }
}
