//! The fields that most rdata consists of: names, numbers, addresses, character strings.
//!
//! `format` lists the fields of each type. Fields with a syntax of their own are in files of their
//! own.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::entries::Token;
use super::super::period::parse_period;
use super::rdata_error::RdataError;
use super::words::Words;
use crate::name::{self, NameError, wire_len};

/// Reads a field from its words and appends its wire format.
type Read = fn(&mut Words<'_, '_>, &mut Vec<u8>) -> Result<(), RdataError>;

/// One part of rdata.
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub(super) read: Read,
    /// Length of the field at the start of these bytes; `None` if there is no such field. It may be
    /// larger than the number of bytes.
    pub(super) len: fn(&[u8]) -> Option<usize>,
    /// The field is a domain name.
    pub(super) is_name: bool,
}

impl Field {
    /// A field that is not a name.
    pub(super) const fn new(read: Read, len: fn(&[u8]) -> Option<usize>) -> Self {
        Self { read, len, is_name: false }
    }
}

/// A domain name, completed by the origin.
pub(super) const NAME: Field = Field { read: read_name, len: wire_len, is_name: true };

pub(super) const U8: Field = Field::new(
    |words, out| {
        out.push(words.number("a number from 0 to 255")?);
        Ok(())
    },
    |_| Some(1),
);

pub(super) const U16: Field = Field::new(
    |words, out| {
        out.extend(words.number::<u16>("a number from 0 to 65535")?.to_be_bytes());
        Ok(())
    },
    |_| Some(2),
);

pub(super) const U32: Field = Field::new(
    |words, out| {
        out.extend(words.number::<u32>("a number from 0 to 4294967295")?.to_be_bytes());
        Ok(())
    },
    |_| Some(4),
);

pub(super) const U64: Field = Field::new(
    |words, out| {
        out.extend(words.number::<u64>("a number from 0 to 18446744073709551615")?.to_be_bytes());
        Ok(())
    },
    |_| Some(8),
);

/// A time in seconds, or with units.
pub(super) const PERIOD: Field = Field::new(
    |words, out| {
        out.extend(words.parse("a period in seconds, or with units (1h30m)", parse_period)?.to_be_bytes());
        Ok(())
    },
    |_| Some(4),
);

pub(super) const V4: Field = Field::new(
    |words, out| {
        out.extend(words.parse("an IPv4 address", |word| word.parse::<Ipv4Addr>().ok())?.octets());
        Ok(())
    },
    |_| Some(4),
);

pub(super) const V6: Field = Field::new(
    |words, out| {
        out.extend(words.parse("an IPv6 address", |word| word.parse::<Ipv6Addr>().ok())?.octets());
        Ok(())
    },
    |_| Some(16),
);

/// One character string.
pub(super) const TEXT: Field = Field::new(read_text, text_len);

/// One character string, or nothing at the end of the rdata (the subaddress of ISDN).
pub(super) const OPTIONAL_TEXT: Field = Field::new(
    |words, out| if words.is_empty() { Ok(()) } else { read_text(words, out) },
    |wire| if wire.is_empty() { Some(0) } else { text_len(wire) },
);

/// A character string of letters and digits (RFC 3403 §4.1).
pub(super) const LETTERS: Field = Field::new(
    |words, out| {
        let start = out.len();
        read_text(words, out)?;
        let is_valid = out[start + 1..].iter().all(u8::is_ascii_alphanumeric);
        if is_valid { Ok(()) } else { Err(words.wrong("only letters and digits are expected here")) }
    },
    |wire| {
        text_len(wire).filter(|&len| wire.get(1..len).is_some_and(|text| text.iter().all(u8::is_ascii_alphanumeric)))
    },
);

/// The tag of CAA: letters and digits, at least one (RFC 8659 §4.1).
pub(super) const TAG: Field = Field::new(
    |words, out| {
        let start = out.len();
        (LETTERS.read)(words, out)?;
        if out[start] == 0 { Err(words.wrong("a tag has at least one letter")) } else { Ok(()) }
    },
    |wire| (LETTERS.len)(wire).filter(|&len| len > 1),
);

/// A character string of at least four decimal digits (RFC 1183 §3.1).
pub(super) const DIGITS: Field = Field::new(
    |words, out| {
        let start = out.len();
        read_text(words, out)?;
        let is_valid = are_digits(&out[start + 1..]);
        if is_valid { Ok(()) } else { Err(words.wrong("at least four digits are expected here")) }
    },
    |wire| text_len(wire).filter(|&len| wire.get(1..len).is_some_and(are_digits)),
);

/// All remaining words as character strings, at least one.
pub(super) const TEXTS: Field = Field::new(
    |words, out| {
        read_text(words, out)?;
        while !words.is_empty() {
            read_text(words, out)?;
        }
        Ok(())
    },
    |wire| {
        let mut at = 0;
        while let Some(&len) = wire.get(at) {
            at += 1 + usize::from(len);
        }
        (at > 0).then_some(at)
    },
);

/// The bytes of one word without a length, to the end of the rdata (CAA, URI).
pub(super) const BYTES: Field = Field::new(
    |words, out| {
        let token = words.take("a character string")?;
        out.extend(unescaped(token).map_err(|message| words.wrong(message))?);
        Ok(())
    },
    |wire| Some(wire.len()),
);

/// Reads words into the wire format of a sequence of fields.
pub(super) fn read_fields(fields: &[Field], tokens: &[Token<'_>], origin: &[u8]) -> Result<Vec<u8>, RdataError> {
    let mut wire = Vec::new();
    let mut words = Words::new(tokens, origin);
    for field in fields {
        (field.read)(&mut words, &mut wire)?;
    }
    match words.take("") {
        Ok(_) => Err(words.wrong("nothing more is expected here")),
        Err(_) => Ok(wire),
    }
}

/// Returns true if the bytes are such a sequence of fields, with uncompressed names.
pub(super) fn are_fields(fields: &[Field], wire: &[u8]) -> bool {
    let mut rest = wire;
    fields.iter().all(|field| match (field.len)(rest).and_then(|len| rest.get(len..)) {
        Some(tail) => {
            rest = tail;
            true
        }
        None => false,
    }) && rest.is_empty()
}

/// The bytes of a word, with its escapes resolved. The message of the error is for users.
pub(super) fn unescaped(token: &Token<'_>) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(token.text.len());
    let mut rest = token.text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        out.push(match byte {
            b'\\' => name::unescape(&mut rest).ok_or_else(|| NameError::BadEscape.to_string())?,
            byte => byte,
        });
    }
    Ok(out)
}

/// Reads a name, completed by the origin.
pub(super) fn read_name(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let token = words.take("a domain name")?;
    let name = name::parse_wire(token.text, Some(words.origin));
    out.extend(name.map_err(|error| words.wrong(format!("not a domain name: {error}")))?);
    Ok(())
}

/// Reads a character string: its length and its bytes (RFC 1035 §3.3).
pub(super) fn read_text(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let token = words.take("a character string")?;
    let text = unescaped(token).map_err(|message| words.wrong(message))?;
    let len = u8::try_from(text.len()).map_err(|_| {
        words.wrong(format!("a character string holds at most 255 bytes, not {}; split it in two", text.len()))
    })?;
    out.push(len);
    out.extend(text);
    Ok(())
}

fn are_digits(text: &[u8]) -> bool {
    text.len() >= 4 && text.iter().all(u8::is_ascii_digit)
}

/// Length of the character string at the start of `wire`, with its length byte.
pub(super) fn text_len(wire: &[u8]) -> Option<usize> {
    wire.first().map(|&len| 1 + usize::from(len))
}
