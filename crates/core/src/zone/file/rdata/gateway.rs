//! Gateways and relays: the rdata of IPSECKEY (RFC 4025) and AMTRELAY (RFC 8777).
//!
//! A type says if an address, a name or nothing follows.

use super::encoded::read_base64;
use super::field::{Field, NAME, U8, V4, V6};
use super::rdata_error::RdataError;
use super::words::Words;
use crate::name::wire_len;

/// The bit of the relay type that asks clients to find other relays first (RFC 8777 §4.2.2).
const DISCOVERY_OPTIONAL: u8 = 0x80;

/// The whole rdata of IPSECKEY: precedence, gateway type, algorithm, gateway, and a key that can be
/// missing.
pub(super) const IPSECKEY: Field = Field::new(
    |words, out| {
        (U8.read)(words, out)?;
        let kind = read_kind(words)?;
        out.push(kind);
        (U8.read)(words, out)?;
        read_gateway(kind, words, out)?;
        read_base64(words, out)
    },
    |wire| {
        let len = gateway_len(*wire.get(1)?, wire.get(3..)?)?;
        (3 + len <= wire.len()).then_some(wire.len())
    },
);

/// The whole rdata of AMTRELAY: precedence, discovery, relay type, relay.
pub(super) const AMTRELAY: Field = Field::new(
    |words, out| {
        (U8.read)(words, out)?;
        let discovery = words.parse("0 or 1", |word| match word {
            "0" => Some(0),
            "1" => Some(DISCOVERY_OPTIONAL),
            _ => None,
        })?;
        let kind = read_kind(words)?;
        out.push(discovery | kind);
        read_gateway(kind, words, out)
    },
    |wire| Some(2 + gateway_len(*wire.get(1)? & !DISCOVERY_OPTIONAL, &wire[2..])?),
);

/// Reads the type of a gateway.
fn read_kind(words: &mut Words<'_, '_>) -> Result<u8, RdataError> {
    let what = "a gateway type: 0 for none, 1 for IPv4, 2 for IPv6, 3 for a name";
    words.parse(what, |word| word.parse().ok().filter(|kind| *kind <= 3))
}

/// Reads a gateway of this type.
fn read_gateway(kind: u8, words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    match kind {
        1 => (V4.read)(words, out),
        2 => (V6.read)(words, out),
        3 => (NAME.read)(words, out),
        _ => words.parse("a dot, because there is no gateway,", |word| (word == ".").then_some(())),
    }
}

/// Length of a gateway of this type at the start of `wire`.
fn gateway_len(kind: u8, wire: &[u8]) -> Option<usize> {
    match kind {
        0 => Some(0),
        1 => Some(4),
        2 => Some(16),
        3 => wire_len(wire),
        _ => None,
    }
}
