//! Rdata: presentation format to wire format.
//!
//! - Types that consist of names, numbers, addresses and character strings are read as fields.
//!   hickory's text parser is not used for them: it reads `\DDD` wrongly, splits quoted strings
//!   inside parentheses and does not complete every name by the origin.
//! - Types with a syntax of their own are read by hickory: SVCB and HTTPS parameters, certificates,
//!   type bitmaps.
//! - Every type may be written as `\# LENGTH HEX` (RFC 3597 §5).
//!
//! `record` calls [`read`] per record. An error says which word is wrong.

use hickory_proto::rr::{RData, RecordType};
use hickory_proto::serialize::binary::{BinDecoder, BinEncodable, BinEncoder, NameEncoding, Restrict};

use super::entries::Token;
use super::fields::{are_fields, read_fields, read_hex};
use super::format::Format;
use super::rdata_error::RdataError;
use crate::name;
use crate::zone::Rtype;

/// Reads the rdata of one record into wire format, with uncompressed names.
pub(super) fn read(rtype: Rtype, tokens: &[Token<'_>], origin: &[u8]) -> Result<Vec<u8>, RdataError> {
    let is_generic = tokens.first().is_some_and(|first| !first.quoted && first.text == b"\\#");
    let wire = match Format::of(rtype) {
        _ if is_generic => read_generic(tokens)?,
        Some(Format::Fields(fields)) => read_fields(fields, tokens, origin)?,
        Some(Format::Hickory) => read_by_hickory(rtype, tokens, origin)?,
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
/// for an unknown type.
///
/// hickory's decoder must accept them, too. It knows the structure of more types, and the encrypted
/// transports pass every response through it.
fn is_well_formed(rtype: Rtype, wire: &[u8]) -> bool {
    let decoded = || {
        let len = Restrict::new(wire.len() as u16);
        RData::read(&mut BinDecoder::new(wire), RecordType::from(rtype.0), len).is_ok()
    };
    Format::fields_of(rtype).is_none_or(|fields| are_fields(fields, wire)) && decoded()
}

/// `\# LENGTH HEX…` (RFC 3597 §5).
fn read_generic(tokens: &[Token<'_>]) -> Result<Vec<u8>, RdataError> {
    let len = tokens.get(1).ok_or_else(|| RdataError::missing("the length is missing after \\#"))?;
    let len: u16 = std::str::from_utf8(len.text)
        .ok()
        .and_then(|word| word.parse().ok())
        .ok_or_else(|| RdataError::at(1, "the length of the rdata in bytes is expected here"))?;
    let wire = read_hex(tokens, 2)?;
    if wire.len() != usize::from(len) {
        return Err(RdataError::at(1, format!("the length is {len}, but {} bytes follow", wire.len())));
    }
    Ok(wire)
}

/// Reads the rdata with hickory's text parser.
///
/// The target of SVCB and HTTPS is made absolute before, because hickory knows no origin for it.
fn read_by_hickory(rtype: Rtype, tokens: &[Token<'_>], origin: &[u8]) -> Result<Vec<u8>, RdataError> {
    let is_svcb = matches!(rtype.0, 64 | 65);
    let mut text = String::new();
    for (i, token) in tokens.iter().enumerate() {
        let word = std::str::from_utf8(token.text).map_err(|_| RdataError::at(i, "only ASCII is expected here"))?;
        if word.contains('\\') {
            let message = format!("escapes are not accepted in {rtype} records; write the rdata as \\# LENGTH HEX");
            return Err(RdataError::at(i, message));
        }
        if is_svcb && i == 1 {
            let target = name::parse_wire(token.text, Some(origin))
                .map_err(|error| RdataError::at(i, format!("not a domain name: {error}")))?;
            text.push_str(&name::presentation(&target));
        } else if token.quoted {
            text.push_str(&format!("\"{word}\""));
        } else {
            text.push_str(word);
        }
        text.push(' ');
    }
    let unreadable = |error: &dyn std::fmt::Display| RdataError {
        token: (!tokens.is_empty()).then_some(0),
        message: error.to_string(),
    };
    let mut rdata = RData::try_from_str(RecordType::from(rtype.0), &text).map_err(|error| unreadable(&error))?;
    let (RData::SVCB(svcb) | RData::HTTPS(hickory_proto::rr::rdata::HTTPS(svcb))) = &mut rdata else {
        return encode(&rdata).map_err(|error| unreadable(&error));
    };
    // RFC 9460 §2.2: the keys are in ascending order on the wire, each once.
    svcb.svc_params.sort_by_key(|(key, _)| u16::from(*key));
    if svcb.svc_params.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(unreadable(&"the same parameter appears twice"));
    }
    encode(&rdata).map_err(|error| unreadable(&error))
}

fn encode(rdata: &RData) -> Result<Vec<u8>, hickory_proto::ProtoError> {
    let mut wire = Vec::new();
    let mut encoder = BinEncoder::new(&mut wire);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    rdata.emit(&mut encoder)?;
    Ok(wire)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::entries::Entries;
    use super::super::format::refusal;
    use super::*;

    fn rdata(text: &str) -> Result<Vec<u8>, String> {
        let entry = Entries::new(text.as_bytes()).next().unwrap().unwrap();
        let word = std::str::from_utf8(entry.tokens[0].text).unwrap();
        let rtype = Rtype::from_mnemonic(word).ok_or("no such type")?;
        if let Some(why) = refusal(rtype) {
            return Err(why.to_owned());
        }
        read(rtype, &entry.tokens[1..], b"\x07example\0").map_err(|error| error.message)
    }

    #[test]
    fn character_strings_hold_any_byte() {
        assert_eq!(rdata(r#"TXT ( "a b" c\065\255 "" )"#).unwrap(), b"\x03a b\x03cA\xff\x00");
        assert!(rdata(&format!("TXT \"{}\"", "x".repeat(256))).unwrap_err().contains("255 bytes"));
        assert_eq!(rdata(r#"CAA 0 issue "ca.example; x=1""#).unwrap(), b"\x00\x05issueca.example; x=1");
    }

    #[test]
    fn names_are_completed_by_the_origin_in_every_type() {
        assert_eq!(rdata("MX 10 mail").unwrap(), b"\x00\x0a\x04mail\x07example\0");
        assert_eq!(rdata("HTTPS 1 www alpn=h2").unwrap(), b"\x00\x01\x03www\x07example\0\x00\x01\x00\x03\x02h2");
        assert_eq!(rdata("HTTPS 1 . port=1 alpn=h2").unwrap()[3..], *b"\x00\x01\x00\x03\x02h2\x00\x03\x00\x02\x00\x01");
    }

    #[test]
    fn unknown_types_are_written_in_hex() {
        assert_eq!(rdata(r"TYPE65534 \# 3 ab CDef").unwrap(), b"\xab\xcd\xef");
        assert_eq!(rdata(r"A \# 4 0a000001").unwrap(), [10, 0, 0, 1]);
        assert!(rdata(r"A \# 3 0a0000").unwrap_err().contains("as A rdata"));
        assert!(rdata(r"NS \# 3 0161c0").unwrap_err().contains("as NS rdata"));
        assert!(rdata("TYPE65534 abc").unwrap_err().contains("RFC 3597"));
    }

    #[test]
    fn refused_types_give_the_reason() {
        for (line, why) in
            [("DNAME a", "DNAME"), ("TYPE39 \\# 1 00", "DNAME"), ("RRSIG x", "signed"), ("TYPE255 \\# 0", "queries")]
        {
            assert!(rdata(line).unwrap_err().contains(why), "{line}");
        }
    }

    #[test]
    fn rdata_that_clients_cannot_decode_is_refused() {
        for line in [r"HTTPS \# 1 00", r#"CAA 0 "" "x""#, r"CERT \# 1 00", r"CSYNC \# 2 0000", r"SVCB \# 0"] {
            assert!(rdata(line).unwrap_err().contains("clients cannot read"), "{line}");
        }
    }

    #[test]
    fn missing_and_extra_words_are_errors() {
        assert!(rdata("MX 10").unwrap_err().contains("a domain name is missing"));
        assert!(rdata("A 1.2.3.4 5").unwrap_err().contains("nothing more"));
        assert!(rdata("A 1.2.3").unwrap_err().contains("IPv4"));
        assert!(rdata("DS 1 8 2 abc").unwrap_err().contains("odd"));
    }

    proptest! {
        /// Rdata in hexadecimal digits is read unchanged, and accepted only if it is well formed.
        #[test]
        fn generic_rdata_is_checked(number in 1_u16..300, wire in prop::collection::vec(any::<u8>(), 0..40)) {
            let hex: String = wire.iter().map(|b| format!("{b:02x}")).collect();
            if let Ok(read) = rdata(&format!("TYPE{number} \\# {} {hex}", wire.len())) {
                prop_assert_eq!(&read, &wire);
                if let Some(fields) = Format::fields_of(Rtype(number)) {
                    prop_assert!(are_fields(fields, &read));
                }
            }
        }

        #[test]
        fn any_words_are_read_or_refused(number in 1_u16..300, words in "[ -~]{0,60}") {
            let line = format!("{} {words}", Rtype(number));
            if let Some(Ok(entry)) = Entries::new(line.as_bytes()).next() {
                let rtype = Rtype(number);
                if let Ok(wire) = read(rtype, &entry.tokens[1..], b"\x07example\0") {
                    prop_assert!(is_well_formed(rtype, &wire));
                }
            }
        }
    }
}
