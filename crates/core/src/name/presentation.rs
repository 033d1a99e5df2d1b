//! Names in presentation format (RFC 1035 §5.1): text with dots and escapes.

use std::fmt;

use thiserror::Error;

use super::labels::{Labels, MAX_LABEL_LEN, MAX_WIRE_LEN};

/// Why a text is not a name. The message is for users.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[allow(missing_docs, reason = "the messages describe the variants")]
pub enum NameError {
    #[error("a name must not be empty")]
    Empty,
    #[error("two dots in a row, or a leading dot")]
    EmptyLabel,
    #[error("a label is longer than {MAX_LABEL_LEN} bytes")]
    LongLabel,
    #[error("the name is longer than {MAX_WIRE_LEN} bytes")]
    LongName,
    #[error("a control character must be written as \\DDD")]
    Control,
    #[error("a backslash must be followed by a character or by three digits up to 255")]
    BadEscape,
}

/// Parses a name into wire format and keeps its letter case.
///
/// `@` is `origin`. A name without a final dot is relative to `origin`, or to the root if there is
/// none. Escapes are `\X` and `\DDD`.
///
/// # Errors
/// The text is not a name.
pub fn parse_wire(text: &[u8], origin: Option<&[u8]>) -> Result<Vec<u8>, NameError> {
    let origin = origin.unwrap_or(&[0]);
    match text {
        b"" => return Err(NameError::Empty),
        b"@" => return Ok(origin.to_vec()),
        b"." => return Ok(vec![0]),
        _ => {}
    }
    let mut wire = vec![0];
    let mut label = 0; // offset of the length byte of the current label
    let mut rest = text;
    let mut is_absolute = false;
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
                    is_absolute = true;
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
    if is_absolute {
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

/// Reads the rest of an escape, after its backslash: three decimal digits, or one character.
///
/// Removes it from `rest`. Returns `None` if it is not an escape.
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

/// Writes a name from wire format in presentation format: absolute, and with escapes for all
/// characters that are special in zone files.
pub fn presentation(wire: &[u8]) -> String {
    struct WithoutFinalDot<'a>(&'a [u8]);
    impl fmt::Display for WithoutFinalDot<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_labels(f, self.0)
        }
    }
    let mut text = WithoutFinalDot(wire).to_string();
    if text != "." {
        text.push('.');
    }
    text
}

/// Writes the labels with dots between them, without the final dot; the root is `.`.
pub(super) fn write_labels(f: &mut fmt::Formatter<'_>, wire: &[u8]) -> fmt::Result {
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
    fn escapes_have_one_character_or_three_decimal_digits() {
        assert_eq!(parse_wire(br"a\.b\065.", None).unwrap(), b"\x04a.bA\0");
        assert_eq!(parse_wire(br"a\256.", None), Err(NameError::BadEscape));
        assert_eq!(parse_wire(br"a\", None), Err(NameError::BadEscape));
        assert_eq!(parse_wire(br"a\1", None), Err(NameError::BadEscape));
        assert_eq!(parse_wire(b"a\0b", None), Err(NameError::Control));
    }

    proptest! {
        #[test]
        fn presentation_is_read_as_the_same_name(
            labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..6),
        ) {
            let mut wire = Vec::new();
            for label in &labels {
                wire.push(label.len() as u8);
                wire.extend_from_slice(label);
            }
            wire.push(0);
            let text = presentation(&wire);
            prop_assert_eq!(parse_wire(text.as_bytes(), None).unwrap(), wire);
        }

        /// Any text is a valid name or an error.
        #[test]
        fn any_text_is_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(wire) = parse_wire(&text, Some(b"\x07example\0")) {
                prop_assert!(wire.len() <= MAX_WIRE_LEN);
                prop_assert_eq!(Labels::of(&wire).map(|l| l.len() + 1).sum::<usize>() + 1, wire.len());
            }
        }
    }
}
