//! APL: lists of address prefixes (RFC 3123): `[!]family:address/prefix`.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::period::decimal;
use super::field::Field;
use super::rdata_error::RdataError;
use super::words::Words;

/// Address families (RFC 3123 §4.1 and §4.2).
const V4: u16 = 1;
const V6: u16 = 2;

/// The bit of the length byte that excludes a prefix.
const EXCLUDED: u8 = 0x80;

/// All remaining words as address prefixes; there can be none.
pub(super) const PREFIXES: Field = Field::new(read, |wire| are_items(wire).then_some(wire.len()));

fn read(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    while !words.is_empty() {
        out.extend(words.parse("an address prefix, as 1:192.0.2.0/24 or !2:2001:db8::/32", item)?);
    }
    Ok(())
}

/// Reads one prefix.
fn item(word: &str) -> Option<Vec<u8>> {
    let (excluded, word) = word.strip_prefix('!').map_or((0, word), |rest| (EXCLUDED, rest));
    let (family, word) = word.split_once(':')?;
    let (address, prefix) = word.split_once('/')?;
    let family: u16 = decimal(family)?;
    let address = match family {
        V4 => address.parse::<Ipv4Addr>().ok()?.octets().to_vec(),
        V6 => address.parse::<Ipv6Addr>().ok()?.octets().to_vec(),
        _ => return None,
    };
    let prefix = decimal::<u8>(prefix).filter(|&prefix| usize::from(prefix) <= address.len() * 8)?;
    // RFC 3123 §4: zero bytes at the end are left out.
    let len = address.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let mut wire = family.to_be_bytes().to_vec();
    wire.extend([prefix, excluded | len as u8]);
    wire.extend(&address[..len]);
    Some(wire)
}

/// Returns true if the bytes are address prefixes.
fn are_items(mut wire: &[u8]) -> bool {
    while !wire.is_empty() {
        let &[family_high, family_low, prefix, len, ref rest @ ..] = wire else { return false };
        let len = usize::from(len & !EXCLUDED);
        let Some((address, rest)) = rest.split_at_checked(len) else { return false };
        let max_len = match u16::from_be_bytes([family_high, family_low]) {
            V4 => 4,
            V6 => 16,
            _ => usize::from(u8::MAX),
        };
        if len > max_len || usize::from(prefix) > max_len * 8 || address.last() == Some(&0) {
            return false;
        }
        wire = rest;
    }
    true
}
