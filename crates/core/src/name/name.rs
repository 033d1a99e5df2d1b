//! A name that is stored: names of zones, owner names, shared names.

use std::fmt;

use super::labels::{Labels, suffixes};
use super::presentation::{NameError, parse_wire, write_labels};

/// An absolute domain name: wire format, lower case.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Name(Box<[u8]>);

impl Name {
    /// Reads an absolute name in presentation format. The final dot is optional.
    ///
    /// # Errors
    /// The text is not a name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        parse_wire(text.as_bytes(), Some(&[0])).map(|wire| Self::from_wire(&wire))
    }

    /// Folds a complete, valid name in wire format.
    pub fn from_wire(wire: &[u8]) -> Self {
        Self(wire.to_ascii_lowercase().into_boxed_slice())
    }

    /// The name in wire format, in lower case, with the root label.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// The labels from left to right, without the root label.
    pub fn labels(&self) -> Labels<'_> {
        Labels::of(&self.0)
    }

    /// Returns true if `self` is `ancestor` or is below it.
    pub fn is_at_or_below(&self, ancestor: &Self) -> bool {
        let (own, above) = (&self.0, &ancestor.0);
        own.len() >= above.len() && suffixes(own).any(|suffix| suffix.len() == above.len() && suffix == &**above)
    }

    /// Returns true if the leftmost label is `*` (RFC 4592 §2.1.1).
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with(&[1, b'*'])
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_labels(f, &self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::MAX_WIRE_LEN;

    #[test]
    fn limits_are_those_of_rfc_1035() {
        let label = "a".repeat(63);
        assert!(Name::parse(&label).is_ok());
        assert_eq!(Name::parse(&format!("{label}a")), Err(NameError::LongLabel));
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert_eq!(Name::parse(&longest).unwrap().as_wire().len(), MAX_WIRE_LEN);
        assert_eq!(Name::parse(&format!("{longest}a")), Err(NameError::LongName));
        assert_eq!(Name::parse(".a"), Err(NameError::EmptyLabel));
        assert_eq!(Name::parse("a..b"), Err(NameError::EmptyLabel));
    }

    #[test]
    fn a_name_is_below_another_only_by_whole_labels() {
        let zone = Name::parse("lb.example").unwrap();
        assert!(Name::parse("core.LB.example.").unwrap().is_at_or_below(&zone));
        assert!(zone.is_at_or_below(&zone));
        assert!(!Name::parse("xlb.example").unwrap().is_at_or_below(&zone));
        assert!(zone.is_at_or_below(&Name::parse(".").unwrap()));
    }
}
