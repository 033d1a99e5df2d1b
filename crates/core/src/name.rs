//! Domain names in wire form (RFC 1035 §3.1): a row of length-prefixed labels that ends with the empty one.
//!
//! Names are compared without regard to ASCII case (RFC 4343), so [`Name`] holds the lower-cased form; whoever needs
//! the letters as they were written (rdata, the question) keeps the plain bytes beside it.

use std::fmt;

use smallvec::SmallVec;
use thiserror::Error;

/// Longest name in wire form, in bytes, the root's label included (RFC 1035 §2.3.4).
pub const MAX_WIRE_LEN: usize = 255;

/// Longest label, in bytes (RFC 1035 §2.3.4).
pub const MAX_LABEL_LEN: usize = 63;

/// Most labels of a name, without the root's: each takes two bytes at least.
const MAX_LABELS: usize = MAX_WIRE_LEN / 2;

/// What is wrong with the text of a name.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum NameError {
    #[error("a name must not be empty")]
    Empty,
    #[error("two dots in a row, or a leading dot")]
    EmptyLabel,
    #[error("a label is longer than {MAX_LABEL_LEN} bytes")]
    LongLabel,
    #[error("the name is longer than {MAX_WIRE_LEN} bytes")]
    LongName,
    #[error("a control character; written as \\DDD it can be part of a name")]
    Control,
    #[error("a backslash must be followed by a character or by three digits up to 255")]
    BadEscape,
}

/// An absolute domain name: wire form, lower-cased.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Name(Box<[u8]>);

impl Name {
    /// Reads an absolute name in presentation format; the final dot may be left out.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        parse_wire(text.as_bytes(), Some(&[0])).map(|wire| Self::from_wire(&wire))
    }

    /// Folds a complete, valid wire form, such as [`parse_wire`] gives.
    pub fn from_wire(wire: &[u8]) -> Self {
        Self(wire.to_ascii_lowercase().into_boxed_slice())
    }

    /// The bytes on the wire, lower-cased, the root's label included.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// The labels from left to right, without the root's.
    pub fn labels(&self) -> Labels<'_> {
        Labels { rest: &self.0 }
    }

    /// Whether `self` is `ancestor` or stands below it.
    pub fn is_at_or_below(&self, ancestor: &Self) -> bool {
        let (own, above) = (&self.0, &ancestor.0);
        own.len() >= above.len() && suffixes(own).any(|suffix| suffix.len() == above.len() && suffix == &**above)
    }

    /// Whether the leftmost label is `*` (RFC 4592 §2.1.1).
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

/// Iterator over the labels of a wire form, left to right, without the root's.
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    rest: &'a [u8],
}

impl<'a> Labels<'a> {
    /// The labels of a complete, valid wire form.
    pub fn of(wire: &'a [u8]) -> Self {
        Self { rest: wire }
    }
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (&len, rest) = self.rest.split_first()?;
        if len == 0 {
            return None;
        }
        let (label, rest) = rest.split_at(usize::from(len));
        self.rest = rest;
        Some(label)
    }
}

/// Every suffix of a wire form, longest first: the name itself, its parent, …, the root.
pub fn suffixes(wire: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(wire);
    std::iter::from_fn(move || {
        let suffix = rest?;
        rest = match suffix[0] {
            0 => None,
            len => Some(&suffix[1 + usize::from(len)..]),
        };
        Some(suffix)
    })
}

/// A lower-cased name with its labels at hand from right to left, as lookups walk them.
///
/// It lives on the stack: one is made for nearly every query that is not for a shared name.
#[derive(Clone)]
pub struct Folded {
    wire: [u8; MAX_WIRE_LEN],
    /// Where each label's length byte stands, leftmost first.
    starts: SmallVec<[u8; MAX_LABELS]>,
}

impl Folded {
    /// Folds a complete, valid wire form of at most [`MAX_WIRE_LEN`] bytes.
    pub fn new(name: &[u8]) -> Self {
        let mut starts = SmallVec::new();
        let mut start = 0;
        for label in Labels::of(name) {
            starts.push(start as u8);
            start += 1 + label.len();
        }
        let mut wire = [0; MAX_WIRE_LEN];
        fold(name, &mut wire);
        Self { wire, starts }
    }

    /// Number of labels, without the root's.
    pub fn label_count(&self) -> usize {
        self.starts.len()
    }

    /// The labels from right (below the root) to left.
    pub fn labels_from_root(&self) -> impl Iterator<Item = &[u8]> {
        self.starts.iter().rev().map(|&start| {
            let start = usize::from(start);
            let len = usize::from(self.wire[start]);
            &self.wire[start + 1..start + 1 + len]
        })
    }
}

/// The lower-cased form of a complete, valid wire form of at most [`MAX_WIRE_LEN`] bytes, written into `room`.
pub fn fold<'r>(name: &[u8], room: &'r mut [u8; MAX_WIRE_LEN]) -> &'r [u8] {
    let folded = &mut room[..name.len()];
    // All at once: the length of a label is below every letter.
    for (to, from) in folded.iter_mut().zip(name) {
        *to = from.to_ascii_lowercase();
    }
    folded
}

/// Reads a name in presentation format (RFC 1035 §5.1) into wire form, its letters as they are.
///
/// `@` stands for `origin`, and a name without a final dot is completed by it. Escapes are `\X` and `\DDD`.
/// Without an origin, relative names are read as they stand, below the root.
pub fn parse_wire(text: &[u8], origin: Option<&[u8]>) -> Result<Vec<u8>, NameError> {
    let origin = origin.unwrap_or(&[0]);
    match text {
        b"" => return Err(NameError::Empty),
        b"@" => return Ok(origin.to_vec()),
        b"." => return Ok(vec![0]),
        _ => {}
    }
    let mut wire = vec![0];
    let mut label = 0; // where the current label's length byte stands
    let mut rest = text;
    let mut absolute = false;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let octet = match byte {
            b'.' => {
                let len = wire.len() - label - 1;
                if len == 0 {
                    return Err(NameError::EmptyLabel);
                }
                wire[label] = len as u8;
                if rest.is_empty() {
                    absolute = true;
                    break;
                }
                label = wire.len();
                wire.push(0);
                continue;
            }
            b'\\' => unescape(&mut rest).ok_or(NameError::BadEscape)?,
            byte if byte.is_ascii_control() => return Err(NameError::Control),
            byte => byte,
        };
        wire.push(octet);
        if wire.len() - label - 1 > MAX_LABEL_LEN {
            return Err(NameError::LongLabel);
        }
        if wire.len() >= MAX_WIRE_LEN {
            return Err(NameError::LongName);
        }
    }
    if absolute {
        wire.push(0);
    } else {
        wire[label] = (wire.len() - label - 1) as u8;
        wire.extend_from_slice(origin);
    }
    if wire.len() > MAX_WIRE_LEN {
        return Err(NameError::LongName);
    }
    Ok(wire)
}

/// Takes what follows a backslash off `rest`: three decimal digits, or one character.
pub fn unescape(rest: &mut &[u8]) -> Option<u8> {
    let (&first, tail) = rest.split_first()?;
    if !first.is_ascii_digit() {
        *rest = tail;
        return Some(first);
    }
    let digits = rest.get(..3)?;
    let mut value = 0_u16;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u16::from(digit - b'0');
    }
    *rest = &rest[3..];
    u8::try_from(value).ok()
}

/// A wire form in presentation format, absolute, with everything unusual escaped.
pub fn presentation(wire: &[u8]) -> String {
    struct Shown<'a>(&'a [u8]);
    impl fmt::Display for Shown<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_labels(f, self.0)
        }
    }
    let mut text = Shown(wire).to_string();
    if text != "." {
        text.push('.');
    }
    text
}

/// Writes the labels with dots between them, without the final dot; the root is `.`.
fn write_labels(f: &mut fmt::Formatter<'_>, wire: &[u8]) -> fmt::Result {
    if wire[0] == 0 {
        return f.write_str(".");
    }
    for (i, label) in Labels::of(wire).enumerate() {
        if i > 0 {
            f.write_str(".")?;
        }
        for &byte in label {
            match byte {
                b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => write!(f, "\\{}", char::from(byte))?,
                b'!'..=b'~' => write!(f, "{}", char::from(byte))?,
                _ => write!(f, "\\{byte:03}")?,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn relative_names_are_completed_by_the_origin() {
        let origin = parse_wire(b"Example.", None).unwrap();
        assert_eq!(parse_wire(b"www", Some(&origin)).unwrap(), b"\x03www\x07Example\0");
        assert_eq!(parse_wire(b"www.", Some(&origin)).unwrap(), b"\x03www\0");
        assert_eq!(parse_wire(b"@", Some(&origin)).unwrap(), b"\x07Example\0");
    }

    #[test]
    fn escapes_are_decimal() {
        assert_eq!(parse_wire(br"a\.b\065.", None).unwrap(), b"\x04a.bA\0");
        assert_eq!(parse_wire(br"a\256.", None), Err(NameError::BadEscape));
        assert_eq!(parse_wire(br"a\", None), Err(NameError::BadEscape));
        assert_eq!(parse_wire(br"a\1", None), Err(NameError::BadEscape));
        assert_eq!(parse_wire(b"a\0b", None), Err(NameError::Control));
    }

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
    fn below_means_whole_labels() {
        let zone = Name::parse("lb.example").unwrap();
        assert!(Name::parse("core.LB.example.").unwrap().is_at_or_below(&zone));
        assert!(zone.is_at_or_below(&zone));
        assert!(!Name::parse("xlb.example").unwrap().is_at_or_below(&zone));
        assert!(zone.is_at_or_below(&Name::parse(".").unwrap()));
    }

    proptest! {
        /// What is shown reads back as the same name, whatever bytes its labels hold.
        #[test]
        fn presentation_reads_back(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..6)) {
            let mut wire = Vec::new();
            for label in &labels {
                wire.push(label.len() as u8);
                wire.extend_from_slice(label);
            }
            wire.push(0);
            let text = presentation(&wire);
            prop_assert_eq!(parse_wire(text.as_bytes(), None).unwrap(), wire.clone());
            let folded = Folded::new(&wire);
            prop_assert_eq!(folded.label_count(), labels.len());
            let name = Name::from_wire(&wire);
            prop_assert!(folded.labels_from_root().eq(name.labels().collect::<Vec<_>>().into_iter().rev()));
        }

        /// Arbitrary text never panics and never gives an overlong name.
        #[test]
        fn any_text_is_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(wire) = parse_wire(&text, Some(b"\x07example\0")) {
                prop_assert!(wire.len() <= MAX_WIRE_LEN);
                prop_assert_eq!(Labels::of(&wire).map(|l| l.len() + 1).sum::<usize>() + 1, wire.len());
            }
        }
    }
}
