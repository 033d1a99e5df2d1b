//! Regular expressions that can be compared, so that a reload recognizes unchanged monitors.

use regex::bytes::Regex;

/// A regular expression. Two are equal if they have the same text.
#[derive(Clone, Debug)]
pub struct Pattern(pub Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}
