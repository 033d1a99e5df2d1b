//! Sets of record types: the windows of RFC 4034 §4.1.2, and the older bitmap of NXT.

use std::collections::BTreeSet;

use super::field::Field;
use super::rdata_error::RdataError;
use super::words::Words;
use crate::zone::Rtype;

/// Longest bitmap of a window, in bytes.
const MAX_WINDOW: usize = 32;

/// All remaining words as a set of types, which can be empty (NSEC, NSEC3, CSYNC).
pub(super) const TYPE_BITMAP: Field = Field::new(
    |words, out| {
        let types = read_types(words)?;
        for window in 0..=u8::MAX {
            let of_window = types.iter().filter(|rtype| rtype.0 >> 8 == u16::from(window));
            let bitmap = bitmap(of_window.map(|rtype| usize::from(rtype.0 & 0xff)));
            if !bitmap.is_empty() {
                out.extend([window, bitmap.len() as u8]);
                out.extend(bitmap);
            }
        }
        Ok(())
    },
    |wire| are_windows(wire).then_some(wire.len()),
);

/// All remaining words as the bitmap of types below 128 (RFC 2535 §5.2).
pub(super) const OLD_TYPE_BITMAP: Field = Field::new(
    |words, out| {
        let types = read_types(words)?;
        if types.iter().any(|rtype| rtype.0 == 0 || rtype.0 > 127) {
            return Err(words.wrong("only types from 1 to 127 are expected here"));
        }
        out.extend(bitmap(types.iter().map(|rtype| usize::from(rtype.0))));
        Ok(())
    },
    |wire| Some(wire.len()).filter(|&len| len <= 16),
);

/// Reads all remaining words as types.
fn read_types(words: &mut Words<'_, '_>) -> Result<BTreeSet<Rtype>, RdataError> {
    let mut types = BTreeSet::new();
    while !words.is_empty() {
        types.insert(words.parse("a record type", Rtype::from_mnemonic)?);
    }
    Ok(types)
}

/// A bitmap without zero bytes at its end. Bit 0 is the highest bit of the first byte.
pub(super) fn bitmap(bits: impl Iterator<Item = usize>) -> Vec<u8> {
    let mut bitmap = Vec::new();
    for bit in bits {
        if bitmap.len() <= bit / 8 {
            bitmap.resize(bit / 8 + 1, 0);
        }
        bitmap[bit / 8] |= 0x80 >> (bit % 8);
    }
    bitmap
}

/// Returns true if the bytes are windows in ascending order without zero bytes at their ends.
fn are_windows(mut wire: &[u8]) -> bool {
    let mut least = 0;
    while !wire.is_empty() {
        let &[window, len, ref rest @ ..] = wire else { return false };
        let len = usize::from(len);
        let Some(bitmap) = rest.get(..len) else { return false };
        if u16::from(window) < least || len > MAX_WINDOW || bitmap.last().is_none_or(|&last| last == 0) {
            return false;
        }
        least = u16::from(window) + 1;
        wire = &rest[len..];
    }
    true
}
