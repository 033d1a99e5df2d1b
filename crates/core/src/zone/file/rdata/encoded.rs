//! Fields of bytes that are written in hexadecimal digits, in base64 or in base32.

use super::field::Field;
use super::rdata_error::RdataError;
use super::words::Words;

/// All remaining words as hexadecimal digits, at least one byte.
pub(super) const HEX: Field = Field::new(
    |words, out| {
        if words.is_empty() {
            words.take("hexadecimal data")?;
        }
        read_hex(words, out)
    },
    |wire| Some(wire.len()).filter(|&len| len > 0),
);

/// All remaining words as base64, at least one byte.
pub(super) const BASE64: Field = Field::new(
    |words, out| {
        if words.is_empty() {
            words.take("base64 data")?;
        }
        read_base64(words, out)
    },
    |wire| Some(wire.len()).filter(|&len| len > 0),
);

/// All remaining words as base64; there can be none (KEY without a key, RFC 2535 §3.1.2).
pub(super) const OPTIONAL_BASE64: Field = Field::new(read_base64, |wire| Some(wire.len()));

/// All remaining words as base64, or a dash for no bytes (DOA).
pub(super) const BASE64_OR_DASH: Field = Field::new(
    |words, out| match words.peek() {
        Some(token) if token.text == b"-" => words.take("base64 data").map(|_| ()),
        _ => (BASE64.read)(words, out),
    },
    |wire| Some(wire.len()),
);

/// The salt of NSEC3: its length and its bytes, as one word of hexadecimal digits or a dash (RFC
/// 5155 §3.3).
pub(super) const SALT: Field = Field::new(
    |words, out| {
        let salt = words.parse("hexadecimal data, or - for no salt", |word| match word {
            "-" => Some(Vec::new()),
            word => hex_bytes(word.as_bytes()),
        })?;
        put_with_len(words, &salt, out)
    },
    super::field::text_len,
);

/// The next hashed owner name of NSEC3: its length and its bytes, in base32 (RFC 5155 §3.3).
pub(super) const HASH: Field = Field::new(
    |words, out| {
        let hash = words.parse("base32 data", |word| base32hex(word.as_bytes()))?;
        put_with_len(words, &hash, out)
    },
    |wire| super::field::text_len(wire).filter(|&len| len > 1),
);

/// Appends the length of some bytes, as one byte, and the bytes.
fn put_with_len(words: &Words<'_, '_>, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), RdataError> {
    let len = u8::try_from(bytes.len()).map_err(|_| words.wrong("at most 255 bytes are expected here"))?;
    out.push(len);
    out.extend(bytes);
    Ok(())
}

/// Reads all remaining words as hexadecimal digits; a byte may be in two words.
pub(super) fn read_hex(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let mut digits = Vec::new();
    while !words.is_empty() {
        let token = words.take("hexadecimal data")?;
        if !token.text.iter().all(u8::is_ascii_hexdigit) {
            return Err(words.wrong("only hexadecimal digits are expected here"));
        }
        digits.extend(token.text);
    }
    out.extend(hex_bytes(&digits).ok_or_else(|| words.wrong("an odd number of hexadecimal digits"))?);
    Ok(())
}

/// The bytes of hexadecimal digits, two per byte.
pub(super) fn hex_bytes(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pair = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?);
    digits.chunks(2).map(pair).collect()
}

/// Reads all remaining words as base64; a group may be in two words.
pub(super) fn read_base64(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let mut text = Vec::new();
    while !words.is_empty() {
        text.extend(words.take("base64 data")?.text);
    }
    out.extend(base64(&text).ok_or_else(|| words.wrong("not base64 data"))?);
    Ok(())
}

/// Decodes base64 with padding (RFC 4648 §4).
pub(super) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let padding = text.iter().rev().take_while(|&&byte| byte == b'=').count();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    decode_bits(&text[..text.len() - padding], 6, digit)
}

/// Decodes base32 with the extended hex alphabet and without padding (RFC 4648 §7).
fn base32hex(text: &[u8]) -> Option<Vec<u8>> {
    // Other numbers of digits at the end are no whole bytes.
    if !matches!(text.len() % 8, 0 | 2 | 4 | 5 | 7) {
        return None;
    }
    let digit = |byte: u8| match byte.to_ascii_uppercase() {
        byte @ b'0'..=b'9' => Some(byte - b'0'),
        byte @ b'A'..=b'V' => Some(byte - b'A' + 10),
        _ => None,
    };
    decode_bits(text, 5, digit)
}

/// Joins digits of `width` bits to bytes. The bits that are left over must be zero.
fn decode_bits(text: &[u8], width: u32, digit: impl Fn(u8) -> Option<u8>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0);
    for &byte in text {
        bits = bits << width | u32::from(digit(byte)?);
        count += width;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    (bits == 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_follow_rfc_4648() {
        // The test vectors of RFC 4648 §10.
        for (bytes, in_64, in_32) in [
            ("", "", ""),
            ("f", "Zg==", "CO"),
            ("fo", "Zm8=", "CPNG"),
            ("foo", "Zm9v", "CPNMU"),
            ("foob", "Zm9vYg==", "CPNMUOG"),
            ("fooba", "Zm9vYmE=", "CPNMUOJ1"),
            ("foobar", "Zm9vYmFy", "CPNMUOJ1E8"),
        ] {
            assert_eq!(base64(in_64.as_bytes()).as_deref(), Some(bytes.as_bytes()));
            assert_eq!(base32hex(in_32.to_lowercase().as_bytes()).as_deref(), Some(bytes.as_bytes()));
        }
        for wrong in ["Zg", "Zg=", "Zh==", "Z===", "Zg==Zg==", "Zm9*", "===="] {
            assert_eq!(base64(wrong.as_bytes()), None, "{wrong}");
        }
        for wrong in ["C", "CPN", "CP", "CW"] {
            assert_eq!(base32hex(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
