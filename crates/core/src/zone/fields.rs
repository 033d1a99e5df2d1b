//! Rdata as a row of fields: names, numbers, addresses, character strings.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::master::Token;
use super::rdata::{BadRdata, bad};
use crate::name::{self, NameError};

/// A piece of rdata.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field {
    Name,
    U8,
    U16,
    U32,
    /// Seconds, or a number with units.
    Period,
    V4,
    V6,
    /// One character string.
    Text,
    /// One character string or more, to the end.
    Texts,
    /// A character string without a length, to the end (CAA).
    Bytes,
    /// Hexadecimal digits, in any number of words, to the end.
    Hex,
}

use Field::{Bytes, Hex, Name, Period, Text, Texts, U8, U16, U32, V4, V6};

/// Reads words into the wire form of a row of fields.
pub(super) fn read_fields(fields: &[Field], tokens: &[Token<'_>], origin: &[u8]) -> Result<Vec<u8>, BadRdata> {
    let mut wire = Vec::new();
    let mut at = 0;
    for field in fields {
        let Some(token) = tokens.get(at) else {
            return Err(BadRdata { token: None, message: format!("{} is missing", field.described()) });
        };
        match field {
            Hex => {
                wire.extend(read_hex(tokens, at)?);
                return Ok(wire);
            }
            Texts => {
                for (i, token) in tokens.iter().enumerate().skip(at) {
                    put_text(&mut wire, token).map_err(|message| bad(i, message))?;
                }
                return Ok(wire);
            }
            _ => put_field(*field, &mut wire, token, origin).map_err(|message| bad(at, message))?,
        }
        at += 1;
    }
    match tokens.get(at) {
        Some(_) => Err(bad(at, "nothing more is expected here")),
        None => Ok(wire),
    }
}

impl Field {
    fn described(self) -> &'static str {
        match self {
            Name => "a domain name",
            U8 => "a number from 0 to 255",
            U16 => "a number from 0 to 65535",
            U32 => "a number from 0 to 4294967295",
            Period => "a period in seconds, or with units (1h30m)",
            V4 => "an IPv4 address",
            V6 => "an IPv6 address",
            Text | Texts | Bytes => "a character string",
            Hex => "a row of hexadecimal digits",
        }
    }
}

fn put_field(field: Field, wire: &mut Vec<u8>, token: &Token<'_>, origin: &[u8]) -> Result<(), String> {
    let expected = || format!("{} is expected here", field.described());
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
            unreachable!("`read_fields` takes these to the end itself")
        }
    }
    Ok(())
}

/// Seconds, or numbers with the units s, m, h, d and w, as in `1h30m`.
pub(super) fn parse_period(word: &str) -> Option<u32> {
    if word.bytes().all(|b| b.is_ascii_digit()) {
        return word.parse().ok();
    }
    let mut total = 0_u32;
    let mut rest = word;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let value: u32 = rest[..digits].parse().ok()?;
        let unit = match rest.as_bytes().get(digits)?.to_ascii_lowercase() {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(value.checked_mul(unit)?)?;
        rest = &rest[digits + 1..];
    }
    (!word.is_empty()).then_some(total)
}

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

fn put_text(wire: &mut Vec<u8>, token: &Token<'_>) -> Result<(), String> {
    let text = unescaped(token)?;
    let len = u8::try_from(text.len())
        .map_err(|_| format!("a character string holds at most 255 bytes, this one {}; split it in two", text.len()))?;
    wire.push(len);
    wire.extend(text);
    Ok(())
}

/// Reads the words from `from` on as one row of hexadecimal digits.
pub(super) fn read_hex(tokens: &[Token<'_>], from: usize) -> Result<Vec<u8>, BadRdata> {
    let mut out = Vec::new();
    let mut high = None;
    for (i, token) in tokens.iter().enumerate().skip(from) {
        for &byte in token.text {
            let digit =
                char::from(byte).to_digit(16).ok_or_else(|| bad(i, "only hexadecimal digits are expected here"))?;
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
        Some(_) => Err(bad(tokens.len() - 1, "an odd number of hexadecimal digits")),
        None => Ok(out),
    }
}

/// Whether the bytes are a row of such fields, names uncompressed.
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

/// Length of the uncompressed name at the start of `bytes`, if one is there.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_take_units() {
        assert_eq!(parse_period("1h30m"), Some(5400));
        assert_eq!(parse_period("2W"), Some(1_209_600));
        for word in ["", "h", "1x", "1h30", "99999999w", "-1"] {
            assert_eq!(parse_period(word), None, "{word}");
        }
    }
}
