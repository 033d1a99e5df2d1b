//! Transaction signatures (RFC 8945). The server has no keys, so every key is unknown: the parser
//! reads what the response to such a query needs, and the encoder writes it.

use crate::name::wire_len;

/// The type of TSIG records.
const TSIG: u16 = 250;

/// The class of TSIG records, ANY.
const ANY: u16 = 255;

/// The error of a key that the server does not know.
const BADKEY: u16 = 17;

/// Longest names of key and algorithm together that a response repeats, in bytes. Longer ones would
/// make the response to a forged packet large.
const MAX_NAMES: usize = 128;

/// The TSIG record of a query.
#[derive(Clone, Copy, Debug)]
pub struct Tsig<'p> {
    /// Name of the key, in wire format.
    key: &'p [u8],
    /// Name of the algorithm, in wire format.
    algorithm: &'p [u8],
    /// When the query was signed, and how far the clocks may differ.
    time: &'p [u8],
    original_id: &'p [u8],
}

impl<'p> Tsig<'p> {
    /// Returns true if this is the type of TSIG records.
    pub(super) fn is_type(rtype: u16) -> bool {
        rtype == TSIG
    }

    /// Reads a record: from its owner name on, and its rdata. Returns `None` if it is malformed. A
    /// compressed name is, too: a client has nothing to compress it against.
    pub(super) fn parse(record: &'p [u8], rdata: &'p [u8]) -> Option<Self> {
        let (key, fixed) = record.split_at(wire_len(record)?);
        let (algorithm, rest) = rdata.split_at(wire_len(rdata)?);
        let (time, rest) = rest.split_at_checked(8)?;
        let (mac_len, rest) = rest.split_first_chunk()?;
        let rest = rest.get(usize::from(u16::from_be_bytes(*mac_len))..)?;
        let (original_id, rest) = rest.split_at_checked(2)?;
        let (_error, rest) = rest.split_at_checked(2)?;
        let (other_len, other) = rest.split_first_chunk()?;
        let is_whole = other.len() == usize::from(u16::from_be_bytes(*other_len));
        let is_class_any = fixed.get(2..4)? == ANY.to_be_bytes();
        (is_whole && is_class_any).then_some(Self { key, algorithm, time, original_id })
    }

    /// Appends the record of a response that is not signed, because the key is not known (RFC 8945
    /// §5.3.2). Returns false if it would be too long.
    pub(super) fn write_unknown_key(&self, out: &mut Vec<u8>) -> bool {
        if self.key.len() + self.algorithm.len() > MAX_NAMES {
            return false;
        }
        let rdata_len = (self.algorithm.len() + self.time.len() + 8) as u16;
        out.extend(self.key);
        out.extend([TSIG, ANY, 0, 0, rdata_len].map(u16::to_be_bytes).as_flattened());
        out.extend(self.algorithm);
        out.extend(self.time);
        out.extend([0, 0]); // no signature
        out.extend(self.original_id);
        out.extend(BADKEY.to_be_bytes());
        out.extend([0, 0]); // no other data
        true
    }
}
