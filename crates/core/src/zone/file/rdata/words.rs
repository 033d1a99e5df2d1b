//! The words of some rdata, in order.
//!
//! Each field takes its words from here. An error knows which word is wrong.

use super::super::entries::Token;
use super::super::period::decimal;
use super::rdata_error::RdataError;

/// The words of one record that are not read yet, and the origin of its names.
pub(super) struct Words<'w, 't> {
    tokens: &'w [Token<'t>],
    /// Index of the next word.
    next: usize,
    /// Completes relative names; in wire format.
    pub(super) origin: &'w [u8],
}

impl<'w, 't> Words<'w, 't> {
    /// The words after the type of a record.
    pub(super) fn new(tokens: &'w [Token<'t>], origin: &'w [u8]) -> Self {
        Self { tokens, next: 0, origin }
    }

    /// Returns true if all words are read.
    pub(super) fn is_empty(&self) -> bool {
        self.next == self.tokens.len()
    }

    /// The next word, which stays there.
    pub(super) fn peek(&self) -> Option<&'w Token<'t>> {
        self.tokens.get(self.next)
    }

    /// Takes the next word. `what` describes it for users.
    pub(super) fn take(&mut self, what: &str) -> Result<&'w Token<'t>, RdataError> {
        let token = self.peek().ok_or_else(|| RdataError::missing(format!("{what} is missing")))?;
        self.next += 1;
        Ok(token)
    }

    /// Takes the next word and parses it. `what` describes it for users.
    pub(super) fn parse<T>(&mut self, what: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, RdataError> {
        let token = self.take(what)?;
        let word = std::str::from_utf8(token.text).ok();
        word.and_then(parse).ok_or_else(|| self.wrong(format!("{what} is expected here")))
    }

    /// Takes the next word, a decimal number.
    pub(super) fn number<T: std::str::FromStr>(&mut self, what: &str) -> Result<T, RdataError> {
        self.parse(what, decimal)
    }

    /// An error at the word that was taken last.
    pub(super) fn wrong(&self, message: impl Into<String>) -> RdataError {
        RdataError::at(self.next.saturating_sub(1), message)
    }
}
