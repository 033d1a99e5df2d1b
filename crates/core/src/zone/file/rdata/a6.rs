//! A6: a part of an IPv6 address, and the name with the rest (RFC 2874 §3.1).

use std::net::Ipv6Addr;

use super::super::period::decimal;
use super::field::{Field, read_name};
use super::rdata_error::RdataError;
use super::words::Words;
use crate::name::wire_len;

/// Bits of an IPv6 address.
const MAX_PREFIX: u8 = 128;

/// The whole rdata: prefix length, address suffix, prefix name.
pub(super) const A6: Field = Field::new(read, len);

/// Bytes of the address that follow a prefix of this length.
fn suffix_len(prefix: u8) -> usize {
    usize::from(MAX_PREFIX - prefix).div_ceil(8)
}

fn read(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let what = "a prefix length from 0 to 128";
    let prefix = words.parse(what, |word| decimal(word).filter(|&prefix: &u8| prefix <= MAX_PREFIX))?;
    out.push(prefix);
    if prefix < MAX_PREFIX {
        let suffix = words.parse("an IPv6 address", |word| word.parse::<Ipv6Addr>().ok())?;
        // The bits of the prefix are zero.
        let bits = u128::from(suffix) & (u128::MAX >> prefix);
        out.extend(&bits.to_be_bytes()[16 - suffix_len(prefix)..]);
    }
    if prefix > 0 { read_name(words, out) } else { Ok(()) }
}

fn len(wire: &[u8]) -> Option<usize> {
    let prefix = *wire.first().filter(|&&prefix| prefix <= MAX_PREFIX)?;
    let before = 1 + suffix_len(prefix);
    Some(before + if prefix > 0 { wire_len(wire.get(before..)?)? } else { 0 })
}
