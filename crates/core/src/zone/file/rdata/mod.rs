//! Rdata: presentation format to wire format.
//!
//! In reading order:
//!
//! 1. `words` hands out the words of a record; `rdata_error` says which word is wrong
//! 2. `field` reads the fields that most types consist of, and checks them in wire format
//! 3. `encoded`, `mnemonic`, `timestamp`, `type_bitmap` and `hardware` are more kinds of fields
//! 4. `svcb` (with `svcb_key` and `svcb_value`), `loc`, `apl`, `gateway`, `hip`, `nsap`, `wks` and `a6` are the types
//!    with a syntax of their own
//! 5. `format` lists the fields of each type; `canonical` says when two records are the same
//!
//! Every type may be written as `\# LENGTH HEX` (RFC 3597 §5). `record` calls [`read`] per record.

mod a6;
mod apl;
mod canonical;
mod encoded;
mod field;
mod format;
mod gateway;
mod hardware;
mod hip;
mod loc;
mod mnemonic;
mod nsap;
mod rdata_error;
mod svcb;
mod svcb_key;
mod svcb_value;
#[cfg(test)]
mod tests;
mod timestamp;
mod type_bitmap;
mod wks;
mod words;

pub(super) use canonical::canonical;
pub(super) use format::{mnemonics, refusal};

use super::entries::Token;
use crate::zone::Rtype;
use encoded::read_hex;
use field::{are_fields, read_fields};
use format::fields_of;
use rdata_error::RdataError;
use words::Words;

/// Reads the rdata of one record into wire format, with uncompressed names.
pub(super) fn read(rtype: Rtype, tokens: &[Token<'_>], origin: &[u8]) -> Result<Vec<u8>, RdataError> {
    let is_generic = tokens.first().is_some_and(|first| !first.quoted && first.text == b"\\#");
    let wire = match fields_of(rtype) {
        _ if is_generic => read_generic(tokens)?,
        Some(fields) => read_fields(fields, tokens, origin)?,
        None => {
            let message = format!("rdata of {rtype} must be written as \\# LENGTH HEX (RFC 3597)");
            return Err(RdataError::at(0, message));
        }
    };
    if wire.len() > usize::from(u16::MAX) {
        return Err(RdataError::at(0, "the rdata is longer than 65,535 bytes"));
    }
    if !is_well_formed(rtype, &wire) {
        return Err(RdataError::at(0, format!("clients cannot read this as {rtype} rdata")));
    }
    Ok(wire)
}

/// Returns true if the bytes are rdata of this type, with uncompressed names. Any bytes are valid
/// for a type without a format.
fn is_well_formed(rtype: Rtype, wire: &[u8]) -> bool {
    fields_of(rtype).is_none_or(|fields| are_fields(fields, wire))
}

/// `\# LENGTH HEX…` (RFC 3597 §5).
fn read_generic(tokens: &[Token<'_>]) -> Result<Vec<u8>, RdataError> {
    let mut words = Words::new(tokens, &[0]);
    words.take("\\#")?;
    let len: u16 = words.number("the length of the rdata in bytes")?;
    let mut wire = Vec::new();
    read_hex(&mut words, &mut wire)?;
    if wire.len() != usize::from(len) {
        return Err(RdataError::at(1, format!("the length is {len}, but {} bytes follow", wire.len())));
    }
    Ok(wire)
}
