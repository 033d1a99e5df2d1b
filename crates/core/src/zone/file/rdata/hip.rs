//! HIP: a host identity and its rendezvous servers (RFC 8005 §5).
//!
//! The lengths of the two byte strings come first in the wire format.

use super::encoded::{base64, hex_bytes};
use super::field::{Field, U8, read_name};
use super::rdata_error::RdataError;
use super::words::Words;
use crate::name::wire_len;

/// The whole rdata.
pub(super) const HIP: Field = Field::new(read, |wire| is_valid(wire).then_some(wire.len()));

fn read(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let mut algorithm = Vec::new();
    (U8.read)(words, &mut algorithm)?;
    let tag = words.parse("a host identity tag in hexadecimal digits", |word| {
        hex_bytes(word.as_bytes()).filter(|tag| !tag.is_empty() && tag.len() <= usize::from(u8::MAX))
    })?;
    let key = words.parse("a public key in base64", |word| {
        base64(word.as_bytes()).filter(|key| !key.is_empty() && key.len() <= usize::from(u16::MAX))
    })?;
    out.extend([tag.len() as u8, algorithm[0]]);
    out.extend((key.len() as u16).to_be_bytes());
    out.extend(tag);
    out.extend(key);
    while !words.is_empty() {
        read_name(words, out)?;
    }
    Ok(())
}

/// Returns true if both byte strings are there, and names after them.
fn is_valid(wire: &[u8]) -> bool {
    let &[tag, _, key_high, key_low, ref rest @ ..] = wire else { return false };
    let (tag, key) = (usize::from(tag), usize::from(u16::from_be_bytes([key_high, key_low])));
    let Some(mut names) = rest.get(tag + key..) else { return false };
    while !names.is_empty() {
        match wire_len(names) {
            Some(len) => names = &names[len..],
            None => return false,
        }
    }
    tag > 0 && key > 0
}
