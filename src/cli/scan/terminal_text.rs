//! Text of strangers on a terminal: names of files and words of servers, harmless and within their columns.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of the words of a server.
const WORDS: usize = 200;

/// What a terminal may show: nothing that moves the cursor, or turns text round (Unicode's bidirectional controls).
fn harmless(c: char) -> char {
    match c {
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '?',
        c if c.is_control() => '?',
        c => c,
    }
}

/// A text in exactly so many columns: its end tells more than its beginning.
pub(super) fn shortened(text: &str, columns: usize) -> String {
    let clean: String = text.chars().map(harmless).collect();
    let shown = if clean.width() <= columns {
        clean
    } else {
        let mut left = columns.saturating_sub(1);
        let end = clean.chars().rev().take_while(|c| {
            let width = c.width().unwrap_or(0);
            let fits = width <= left;
            left -= width.min(left);
            fits
        });
        let mut kept: Vec<char> = end.collect();
        kept.push('…');
        kept.into_iter().rev().collect()
    };
    let padding = columns.saturating_sub(shown.width());
    shown + &" ".repeat(padding)
}

/// The beginning of a text that is long.
pub(super) fn clipped(text: &str) -> String {
    let mut clean = text.chars().map(harmless);
    let shown: String = clean.by_ref().take(WORDS).collect();
    if clean.next().is_some() { shown + "…" } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_their_columns_and_keep_their_end() {
        assert_eq!(shortened("a/b.txt", 7), "a/b.txt");
        assert_eq!(shortened("a", 3), "a  ");
        assert_eq!(shortened("folder/b.txt", 7), "…/b.txt");
        assert_eq!(shortened("a\u{1b}[31m\u{202e}", 9), "a?[31m?  ");
        assert_eq!(shortened("木木木木木", 10), "木木木木木");
        // Two columns each: one is left over.
        assert_eq!(shortened("木木木木木", 8), "…木木木 ");
        assert_eq!(clipped(&"x".repeat(300)).chars().count(), WORDS + 1);
        assert_eq!(clipped("all nodes are too busy"), "all nodes are too busy");
    }
}
