//! Addresses of other networks: NSAP (RFC 1706) and ATMA (ATM Forum, af-saa-0069).

use super::encoded::hex_bytes;
use super::field::Field;

/// `0x` and hexadecimal digits, with dots anywhere between them.
pub(super) const NSAP: Field = Field::new(
    |words, out| {
        let bytes = words.parse("0x and hexadecimal digits", |word| {
            let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"))?;
            dotted_hex(digits)
        })?;
        out.extend(bytes);
        Ok(())
    },
    |wire| Some(wire.len()).filter(|&len| len > 0),
);

/// The format byte of an ATM end system address in hexadecimal digits.
const END_SYSTEM: u8 = 0;

/// The format byte of a number of the E.164 plan.
const E164: u8 = 1;

/// `+` and decimal digits, or hexadecimal digits; dots can separate them.
pub(super) const ATMA: Field = Field::new(
    |words, out| {
        let bytes =
            words.parse("+ and decimal digits, or hexadecimal digits", |word| match word.strip_prefix('+') {
                Some(number) => {
                    let digits: Vec<u8> = number.bytes().filter(|&byte| byte != b'.').collect();
                    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
                    is_number.then(|| [vec![E164], digits].concat())
                }
                None => dotted_hex(word).map(|bytes| [vec![END_SYSTEM], bytes].concat()),
            })?;
        out.extend(bytes);
        Ok(())
    },
    |wire| match wire {
        [END_SYSTEM, _, ..] => Some(wire.len()),
        [E164, number @ ..] if !number.is_empty() && number.iter().all(u8::is_ascii_digit) => Some(wire.len()),
        _ => None,
    },
);

/// The bytes of hexadecimal digits with dots between them, at least one.
fn dotted_hex(word: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = word.bytes().filter(|&byte| byte != b'.').collect();
    hex_bytes(&digits).filter(|bytes| !bytes.is_empty())
}
