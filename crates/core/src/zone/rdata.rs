//! Rdata: presentation format to wire form.
//!
//! Types made of names, numbers, addresses and character strings are read here, by a row of fields each:
//! hickory's text parser reads `\DDD` wrongly, splits quoted strings inside parentheses and does not complete
//! every name by the origin. The types with a syntax of their own (SVCB and HTTPS parameters, certificates, type
//! bitmaps) are hickory's. Every type may be written as `\# LENGTH HEX` (RFC 3597 §5).

use hickory_proto::rr::{RData, RecordType};
use hickory_proto::serialize::binary::{BinDecoder, BinEncodable, BinEncoder, NameEncoding, Restrict};

use super::Rtype;
use super::fields::{are_fields, read_fields, read_hex};
use super::master::Token;
use crate::name;

/// Why some rdata cannot be read.
#[derive(Debug)]
pub(super) struct BadRdata {
    /// Which word; `None` when words are missing at the end.
    pub(super) token: Option<usize>,
    pub(super) message: String,
}

pub(super) fn bad(token: usize, message: impl Into<String>) -> BadRdata {
    BadRdata { token: Some(token), message: message.into() }
}

/// Reads the words of one record's rdata into wire form, names uncompressed.
pub(super) fn read(rtype: Rtype, tokens: &[Token<'_>], origin: &[u8]) -> Result<Vec<u8>, BadRdata> {
    let is_generic = tokens.first().is_some_and(|first| !first.quoted && first.text == b"\\#");
    let wire = match rtype.fields() {
        _ if is_generic => read_generic(tokens)?,
        Some(fields) => read_fields(fields, tokens, origin)?,
        None if rtype.is_read_by_hickory() => read_by_hickory(rtype, tokens, origin)?,
        None => {
            return Err(bad(0, format!("rdata of {rtype} must be written as \\# LENGTH HEX (RFC 3597)")));
        }
    };
    if wire.len() > usize::from(u16::MAX) {
        return Err(bad(0, "the rdata is longer than 65,535 bytes"));
    }
    if !is_well_formed(rtype, &wire) {
        return Err(bad(0, format!("this is no {rtype} rdata that clients could read")));
    }
    Ok(wire)
}

/// Whether the bytes are rdata of this type, names uncompressed; of a type that nobody here knows, all bytes are.
///
/// hickory's decoder is asked, too: it knows the insides of more types, and the encrypted transports pass every answer
/// through it.
fn is_well_formed(rtype: Rtype, wire: &[u8]) -> bool {
    let decoded = || {
        let len = Restrict::new(wire.len() as u16);
        RData::read(&mut BinDecoder::new(wire), RecordType::from(rtype.0), len).is_ok()
    };
    rtype.fields().is_none_or(|fields| are_fields(fields, wire)) && decoded()
}

/// `\# LENGTH HEX…` (RFC 3597 §5).
fn read_generic(tokens: &[Token<'_>]) -> Result<Vec<u8>, BadRdata> {
    let len =
        tokens.get(1).ok_or_else(|| BadRdata { token: None, message: "the length is missing after \\#".into() })?;
    let len: u16 = std::str::from_utf8(len.text)
        .ok()
        .and_then(|word| word.parse().ok())
        .ok_or_else(|| bad(1, "the length of the rdata in bytes is expected here"))?;
    let wire = read_hex(tokens, 2)?;
    if wire.len() != usize::from(len) {
        return Err(bad(1, format!("the length is {len}, but {} bytes follow", wire.len())));
    }
    Ok(wire)
}

/// Hands the words to hickory, the SVCB target made absolute first because hickory knows no origin for it.
fn read_by_hickory(rtype: Rtype, tokens: &[Token<'_>], origin: &[u8]) -> Result<Vec<u8>, BadRdata> {
    let is_svcb = matches!(rtype.0, 64 | 65);
    let mut text = String::new();
    for (i, token) in tokens.iter().enumerate() {
        let word = std::str::from_utf8(token.text).map_err(|_| bad(i, "only ASCII is expected here"))?;
        if word.contains('\\') {
            return Err(bad(i, format!("escapes are not read in {rtype} records; write the rdata as \\# LENGTH HEX")));
        }
        if is_svcb && i == 1 {
            let target = name::parse_wire(token.text, Some(origin))
                .map_err(|error| bad(i, format!("not a domain name: {error}")))?;
            text.push_str(&name::presentation(&target));
        } else if token.quoted {
            text.push_str(&format!("\"{word}\""));
        } else {
            text.push_str(word);
        }
        text.push(' ');
    }
    let unreadable = |error: &dyn std::fmt::Display| BadRdata {
        token: tokens.len().checked_sub(1).map(|_| 0),
        message: error.to_string(),
    };
    let mut rdata = RData::try_from_str(RecordType::from(rtype.0), &text).map_err(|error| unreadable(&error))?;
    let (RData::SVCB(svcb) | RData::HTTPS(hickory_proto::rr::rdata::HTTPS(svcb))) = &mut rdata else {
        return encode(&rdata).map_err(|error| unreadable(&error));
    };
    // RFC 9460 §2.2: in ascending order on the wire, each once.
    svcb.svc_params.sort_by_key(|(key, _)| u16::from(*key));
    if svcb.svc_params.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(unreadable(&"the same parameter stands twice"));
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

    use super::super::master::Entries;
    use super::*;

    fn rdata(text: &str) -> Result<Vec<u8>, String> {
        let entry = Entries::new(text.as_bytes()).next().unwrap().unwrap();
        let word = std::str::from_utf8(entry.tokens[0].text).unwrap();
        let rtype = Rtype::parse(word).ok_or("no such type")?.map_err(String::from)?;
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
        assert!(rdata(r"A \# 3 0a0000").unwrap_err().contains("no A rdata"));
        assert!(rdata(r"NS \# 3 0161c0").unwrap_err().contains("no NS rdata"));
        assert!(rdata("TYPE65534 abc").unwrap_err().contains("RFC 3597"));
    }

    #[test]
    fn types_that_cannot_be_served_say_why() {
        for (line, why) in
            [("DNAME a", "DNAME"), ("TYPE39 \\# 1 00", "DNAME"), ("RRSIG x", "signed"), ("TYPE255 \\# 0", "query")]
        {
            assert!(rdata(line).unwrap_err().contains(why), "{line}");
        }
    }

    #[test]
    fn what_no_client_could_read_is_refused() {
        for line in [r"HTTPS \# 1 00", r#"CAA 0 "" "x""#, r"CERT \# 1 00", r"CSYNC \# 2 0000", r"SVCB \# 0"] {
            assert!(rdata(line).unwrap_err().contains("could read"), "{line}");
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
        /// What is read in hex is what was written, for every type; and whatever is accepted is well formed.
        #[test]
        fn generic_rdata_is_checked(number in 1_u16..300, wire in prop::collection::vec(any::<u8>(), 0..40)) {
            let hex: String = wire.iter().map(|b| format!("{b:02x}")).collect();
            if let Ok(read) = rdata(&format!("TYPE{number} \\# {} {hex}", wire.len())) {
                prop_assert_eq!(&read, &wire);
                if let Some(fields) = Rtype(number).fields() {
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
