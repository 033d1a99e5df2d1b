//! Rdata as a sequence of fields: names, numbers, addresses, character strings.
//!
//! `rdata` calls [`read_fields`] for types that consist of fields, and [`are_fields`] to check the
//! result. An error says which word is wrong.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::entries::Token;
use super::period::parse_period;
use super::rdata_error::RdataError;
use crate::name::{self, NameError};

/// One part of rdata.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field {
    /// A domain name, completed by the origin.
    Name,
    U8,
    U16,
    U32,
    /// A time in seconds, or with units.
    Period,
    V4,
    V6,
    /// One character string.
    Text,
    /// All remaining words as character strings, at least one.
    Texts,
    /// The bytes of one word without a length, to the end of the rdata (CAA).
    Bytes,
    /// All remaining words as hexadecimal digits.
    Hex,
}

use Field::{Bytes, Hex, Name, Period, Text, Texts, U8, U16, U32, V4, V6};

/// Reads words into the wire format of a sequence of fields.
pub(super) fn read_fields(fields: &[Field], tokens: &[Token<'_>], origin: &[u8]) -> Result<Vec<u8>, RdataError> {
    let mut wire = Vec::new();
    let mut at = 0;
    for field in fields {
        let Some(token) = tokens.get(at) else {
            return Err(RdataError::missing(format!("{} is missing", field.description())));
        };
        match field {
            Hex => {
                wire.extend(read_hex(tokens, at)?);
                return Ok(wire);
            }
            Texts => {
                for (i, token) in tokens.iter().enumerate().skip(at) {
                    put_text(&mut wire, token).map_err(|message| RdataError::at(i, message))?;
                }
                return Ok(wire);
            }
            _ => put_field(*field, &mut wire, token, origin).map_err(|message| RdataError::at(at, message))?,
        }
        at += 1;
    }
    match tokens.get(at) {
        Some(_) => Err(RdataError::at(at, "nothing more is expected here")),
        None => Ok(wire),
    }
}

impl Field {
    /// The field as messages to users name it.
    fn description(self) -> &'static str {
        match self {
            Name => "a domain name",
            U8 => "a number from 0 to 255",
            U16 => "a number from 0 to 65535",
            U32 => "a number from 0 to 4294967295",
            Period => "a period in seconds, or with units (1h30m)",
            V4 => "an IPv4 address",
            V6 => "an IPv6 address",
            Text | Texts | Bytes => "a character string",
            Hex => "hexadecimal data",
        }
    }
}

/// Appends the wire format of one word. The message of the error is for users.
fn put_field(field: Field, wire: &mut Vec<u8>, token: &Token<'_>, origin: &[u8]) -> Result<(), String> {
    let expected = || format!("{} is expected here", field.description());
    let word = || std::str::from_utf8(token.text).ok();
    fn number<T: std::str::FromStr>(word: Option<&str>) -> Option<T> {
        word.filter(|w| w.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()
    }
    match field {
        Name => wire.extend(
            name::parse_wire(token.text, Some(origin))
                .map_err(|error: NameError| format!("not a domain name: {error}"))?,
        ),
        U8 => wire.push(number(word()).ok_or_else(expected)?),
        U16 => wire.extend(number::<u16>(word()).ok_or_else(expected)?.to_be_bytes()),
        U32 => wire.extend(number::<u32>(word()).ok_or_else(expected)?.to_be_bytes()),
        Period => wire.extend(word().and_then(parse_period).ok_or_else(expected)?.to_be_bytes()),
        V4 => wire.extend(word().and_then(|w| w.parse::<Ipv4Addr>().ok()).ok_or_else(expected)?.octets()),
        V6 => wire.extend(word().and_then(|w| w.parse::<Ipv6Addr>().ok()).ok_or_else(expected)?.octets()),
        Text => put_text(wire, token)?,
        Bytes => wire.extend(unescaped(token)?),
        Texts | Hex => {
            unreachable!("`read_fields` reads all remaining words of these")
        }
    }
    Ok(())
}

/// The bytes of a word, with its escapes resolved.
fn unescaped(token: &Token<'_>) -> Result<Vec<u8>, String> {
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

/// Appends a character string: its length and its bytes (RFC 1035 §3.3).
fn put_text(wire: &mut Vec<u8>, token: &Token<'_>) -> Result<(), String> {
    let text = unescaped(token)?;
    let len = u8::try_from(text.len())
        .map_err(|_| format!("a character string holds at most 255 bytes, not {}; split it in two", text.len()))?;
    wire.push(len);
    wire.extend(text);
    Ok(())
}

/// Reads the words from index `from` on as hexadecimal digits.
pub(super) fn read_hex(tokens: &[Token<'_>], from: usize) -> Result<Vec<u8>, RdataError> {
    let mut out = Vec::new();
    let mut high = None;
    for (i, token) in tokens.iter().enumerate().skip(from) {
        for &byte in token.text {
            let digit = char::from(byte)
                .to_digit(16)
                .ok_or_else(|| RdataError::at(i, "only hexadecimal digits are expected here"))?;
            high = match high {
                None => Some(digit),
                Some(high) => {
                    out.push((high * 16 + digit) as u8);
                    None
                }
            };
        }
    }
    match high {
        Some(_) => Err(RdataError::at(tokens.len() - 1, "an odd number of hexadecimal digits")),
        None => Ok(out),
    }
}

/// Returns true if the bytes are such a sequence of fields, with uncompressed names.
pub(super) fn are_fields(fields: &[Field], wire: &[u8]) -> bool {
    let mut rest = wire;
    for field in fields {
        let len = match field {
            Name => match wire_name_len(rest) {
                Some(len) => len,
                None => return false,
            },
            U8 => 1,
            U16 => 2,
            U32 | Period | V4 => 4,
            V6 => 16,
            Text => 1 + usize::from(rest.first().copied().unwrap_or(0)),
            Texts => {
                let mut at = 0;
                while let Some(&len) = rest.get(at) {
                    at += 1 + usize::from(len);
                }
                if at == 0 {
                    return false;
                }
                at
            }
            Bytes | Hex => rest.len(),
        };
        match rest.get(len..) {
            Some(tail) => rest = tail,
            None => return false,
        }
    }
    rest.is_empty()
}

/// Length of the uncompressed name at the start of `bytes`; `None` if there is no such name.
fn wire_name_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match usize::from(*bytes.get(at)?) {
            0 if at < name::MAX_WIRE_LEN => return Some(at + 1),
            len if len <= name::MAX_LABEL_LEN && len > 0 => at += 1 + len,
            _ => return None,
        }
    }
}
