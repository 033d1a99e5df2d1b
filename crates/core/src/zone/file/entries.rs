//! The lexer: cuts a zone file (a "master file", RFC 1035 §5.1) into entries, and entries into
//! words.
//!
//! An entry is one line, or several lines that parentheses join. The lexer knows comments, quotes,
//! escapes, parentheses and the place of each word. `load` and `record` know what the words mean. A
//! malformed line is an error, and the lexer goes on with the next line.

use std::ops::Range;

/// One word of an entry. A quote begins and ends a word, also without white space before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Token<'t> {
    /// The bytes as written, with escapes, but without quotes.
    pub(super) text: &'t [u8],
    /// The word was in quotes.
    pub(super) quoted: bool,
    /// There is nothing between the word before and this one, as in `alpn="h2"`.
    pub(super) adjoins: bool,
    /// Offset of `text` in the file.
    pub(super) offset: usize,
}

impl Token<'_> {
    /// The range of the word in the file.
    pub(super) fn span(&self) -> Range<usize> {
        self.offset..self.offset + self.text.len()
    }
}

/// A line, or several joined lines, with at least one word.
#[derive(Clone, Debug)]
pub(super) struct Entry<'t> {
    /// The line begins with white space, so the owner is that of the record before.
    pub(super) blank_owner: bool,
    /// At least one.
    pub(super) tokens: Vec<Token<'t>>,
}

/// An entry that cannot be cut into words.
#[derive(Debug)]
pub(super) struct Malformed {
    /// The wrong place in the file.
    pub(super) at: Range<usize>,
    /// The reason, for users.
    pub(super) message: &'static str,
}

/// Iterator over the entries of a zone file.
pub(super) struct Entries<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Entries<'t> {
    /// The entries of a text.
    pub(super) fn new(text: &'t [u8]) -> Self {
        // A byte order mark is not part of the first owner name.
        let at = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        Self { text, at }
    }

    /// The next byte.
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Skips the rest of the line.
    fn skip_line(&mut self) {
        while self.peek().is_some_and(|b| b != b'\n') {
            self.at += 1;
        }
    }

    /// Skips the rest of the line and reports it as malformed.
    fn malformed(&mut self, at: Range<usize>, message: &'static str) -> Option<Result<Entry<'t>, Malformed>> {
        self.skip_line();
        Some(Err(Malformed { at, message }))
    }

    /// Reads a word in quotes.
    fn quoted(&mut self) -> Result<Token<'t>, Malformed> {
        let open = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let token =
                        Token { text: &self.text[open + 1..self.at], quoted: true, adjoins: false, offset: open + 1 };
                    self.at += 1;
                    return Ok(token);
                }
                Some(b'\\') if self.text.get(self.at + 1).is_some_and(|&b| b != b'\n') => self.at += 2,
                None | Some(b'\n') => {
                    return Err(Malformed { at: open..open + 1, message: "this quote is not closed on its line" });
                }
                Some(_) => self.at += 1,
            }
        }
    }

    /// Reads a word without quotes.
    fn bare(&mut self) -> Token<'t> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'\\' if self.text.get(self.at + 1).is_some_and(|&b| b != b'\n') => self.at += 1,
                b'\n' | b'"' | b' ' | b'\t' | b'\r' | b';' | b'(' | b')' => break,
                _ => {}
            }
            self.at += 1;
        }
        Token { text: &self.text[start..self.at], quoted: false, adjoins: false, offset: start }
    }
}

impl<'t> Iterator for Entries<'t> {
    type Item = Result<Entry<'t>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut tokens = Vec::new();
        let mut open = Vec::new(); // offsets of unclosed parentheses
        let mut word_end = None; // offset after the last word
        let mut blank_owner = matches!(self.peek(), Some(b' ' | b'\t'));
        loop {
            let Some(byte) = self.peek() else {
                if let Some(at) = open.pop() {
                    return self.malformed(at..at + 1, "this parenthesis is never closed");
                }
                break;
            };
            match byte {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b';' => self.skip_line(),
                b'\n' => {
                    self.at += 1;
                    if open.is_empty() {
                        if !tokens.is_empty() {
                            break;
                        }
                        blank_owner = matches!(self.peek(), Some(b' ' | b'\t'));
                    }
                }
                b'(' => {
                    open.push(self.at);
                    self.at += 1;
                }
                b')' => {
                    if open.pop().is_none() {
                        return self.malformed(self.at..self.at + 1, "there is no parenthesis to close here");
                    }
                    self.at += 1;
                }
                _ => {
                    let adjoins = word_end == Some(self.at);
                    match if byte == b'"' { self.quoted() } else { Ok(self.bare()) } {
                        Ok(token) => tokens.push(Token { adjoins, ..token }),
                        Err(error) => return self.malformed(error.at, error.message),
                    }
                    word_end = Some(self.at);
                }
            }
        }
        (!tokens.is_empty()).then_some(Ok(Entry { blank_owner, tokens }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<(bool, Vec<String>)> {
        Entries::new(text.as_bytes())
            .map(|entry| {
                let entry = entry.unwrap();
                let word = |t: &Token<'_>| String::from_utf8(t.text.to_vec()).unwrap();
                (entry.blank_owner, entry.tokens.iter().map(word).collect())
            })
            .collect()
    }

    #[test]
    fn parentheses_join_lines_and_comments_end_with_their_line() {
        let text = "@ SOA a b ( 1 ; serial\n 2 3\n4 5 ) ; done\n\n  A 1.2.3.4\n";
        assert_eq!(
            words(text),
            vec![
                (false, vec!["@", "SOA", "a", "b", "1", "2", "3", "4", "5"].into_iter().map(String::from).collect()),
                (true, vec!["A".into(), "1.2.3.4".into()]),
            ]
        );
    }

    #[test]
    fn quotes_keep_spaces_semicolons_and_parentheses() {
        assert_eq!(words(r#"a TXT ( "x ; (y" "\"" )"#)[0].1, ["a", "TXT", "x ; (y", r#"\""#]);
        assert_eq!(words(r#"a HTTPS 1 . alpn="h2, h3" port=8\ 0"#)[0].1[4..], ["alpn=", "h2, h3", r"port=8\ 0"]);
        assert_eq!(words(r#"a TXT a"b c"d\"e"#)[0].1[2..], ["a", "b c", r#"d\"e"#]);
    }

    #[test]
    fn a_malformed_line_does_not_hide_the_next() {
        let mut entries = Entries::new(b"a TXT \"open\nb A 1.2.3.4\nc A ) 1\nd A 5");
        assert!(entries.next().unwrap().is_err());
        assert_eq!(entries.next().unwrap().unwrap().tokens[0].text, b"b");
        assert!(entries.next().unwrap().is_err());
        assert_eq!(entries.next().unwrap().unwrap().tokens[0].text, b"d");
        assert!(entries.next().is_none());
        assert!(Entries::new(b"a ( b").next().unwrap().is_err());
        assert!(Entries::new(b"a TXT a\"b").next().unwrap().is_err());
    }

    #[test]
    fn words_know_if_they_adjoin_the_word_before() {
        let entry = Entries::new(br#"a "b"c "d" e="f" ("g")"#).next().unwrap().unwrap();
        let adjoins: Vec<bool> = entry.tokens.iter().map(|token| token.adjoins).collect();
        assert_eq!(adjoins, [false, false, true, false, false, true, false]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Entries::new(&text).count() <= text.len());
        }

        #[test]
        fn any_punctuation_is_read_to_its_end(text in "[ a\"\\\\();\n]{0,60}") {
            prop_assert!(Entries::new(text.as_bytes()).count() <= text.len());
        }
    }
}
