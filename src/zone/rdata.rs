//! Record types and their rdata: presentation format to wire form.
//!
//! Types made of names, numbers, addresses and character strings are read here, by a row of [`Field`]s each:
//! hickory's text parser reads `\DDD` wrongly, splits quoted strings inside parentheses and does not complete
//! every name by the origin. The types with a syntax of their own (SVCB and HTTPS parameters, certificates, type
//! bitmaps) are hickory's. Every type may be written as `\# LENGTH HEX` (RFC 3597 §5).

use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_proto::rr::{RData, RecordType};
use hickory_proto::serialize::binary::{BinDecoder, BinEncodable, BinEncoder, NameEncoding, Restrict};

use super::master::Token;
use crate::name::{self, NameError};

/// A record type as its number (RFC 1035 §3.2.2 and IANA's registry).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Rtype(pub u16);

#[allow(missing_docs, reason = "the mnemonics of IANA's registry")]
impl Rtype {
    pub const A: Self = Self(1);
    pub const NS: Self = Self(2);
    pub const CNAME: Self = Self(5);
    pub const SOA: Self = Self(6);
    pub const PTR: Self = Self(12);
    pub const HINFO: Self = Self(13);
    pub const MX: Self = Self(15);
    pub const AAAA: Self = Self(28);
    pub const DNAME: Self = Self(39);
    pub const OPT: Self = Self(41);
    pub const DS: Self = Self(43);
    pub const IXFR: Self = Self(251);
    pub const AXFR: Self = Self(252);
    pub const ANY: Self = Self(255);
}

/// Who reads the rdata of a type.
#[derive(Clone, Copy)]
enum Reader {
    Fields(&'static [Field]),
    Hickory,
}

/// A piece of rdata.
#[derive(Clone, Copy, Debug)]
enum Field {
    Name,
    U8,
    U16,
    U32,
    /// Seconds, or a number with units.
    Period,
    V4,
    V6,
    /// One character string.
    Text,
    /// One character string or more, to the end.
    Texts,
    /// A character string without a length, to the end (CAA).
    Bytes,
    /// Hexadecimal digits, in any number of words, to the end.
    Hex,
}

use Field::{Bytes, Hex, Name, Period, Text, Texts, U8, U16, U32, V4, V6};

/// Every type a zone file may hold by mnemonic.
const TYPES: &[(&str, u16, Reader)] = &[
    ("A", 1, Reader::Fields(&[V4])),
    ("NS", 2, Reader::Fields(&[Name])),
    ("CNAME", 5, Reader::Fields(&[Name])),
    ("SOA", 6, Reader::Fields(&[Name, Name, U32, Period, Period, Period, Period])),
    ("PTR", 12, Reader::Fields(&[Name])),
    ("HINFO", 13, Reader::Fields(&[Text, Text])),
    ("MX", 15, Reader::Fields(&[U16, Name])),
    ("TXT", 16, Reader::Fields(&[Texts])),
    ("RP", 17, Reader::Fields(&[Name, Name])),
    ("AFSDB", 18, Reader::Fields(&[U16, Name])),
    ("AAAA", 28, Reader::Fields(&[V6])),
    ("SRV", 33, Reader::Fields(&[U16, U16, U16, Name])),
    ("NAPTR", 35, Reader::Fields(&[U16, U16, Text, Text, Text, Name])),
    ("KX", 36, Reader::Fields(&[U16, Name])),
    ("CERT", 37, Reader::Hickory),
    ("DS", 43, Reader::Fields(&[U16, U8, U8, Hex])),
    ("SSHFP", 44, Reader::Fields(&[U8, U8, Hex])),
    ("TLSA", 52, Reader::Fields(&[U8, U8, U8, Hex])),
    ("SMIMEA", 53, Reader::Fields(&[U8, U8, U8, Hex])),
    ("OPENPGPKEY", 61, Reader::Hickory),
    ("CSYNC", 62, Reader::Hickory),
    ("SVCB", 64, Reader::Hickory),
    ("HTTPS", 65, Reader::Hickory),
    ("SPF", 99, Reader::Fields(&[Texts])),
    ("CAA", 257, Reader::Fields(&[U8, Text, Bytes])),
];

/// Types that are known but cannot stand in a zone file here, and why.
const REFUSED: &[(&str, u16, &str)] = &[
    ("DNAME", 39, "DNAME redirection is not served; write a CNAME or a wildcard CNAME for each name"),
    ("OPT", 41, "OPT belongs to messages, not to zones"),
    ("RRSIG", 46, "signed zones are not served"),
    ("NSEC", 47, "signed zones are not served"),
    ("DNSKEY", 48, "signed zones are not served"),
    ("NSEC3", 50, "signed zones are not served"),
    ("NSEC3PARAM", 51, "signed zones are not served"),
    ("TKEY", 249, "TKEY belongs to messages, not to zones"),
    ("TSIG", 250, "TSIG belongs to messages, not to zones"),
    ("IXFR", 251, "IXFR is a kind of query"),
    ("AXFR", 252, "AXFR is a kind of query"),
    ("MAILB", 253, "MAILB is a kind of query"),
    ("MAILA", 254, "MAILA is a kind of query"),
    ("ANY", 255, "ANY is a kind of query"),
];

impl Rtype {
    /// Reads a mnemonic or `TYPEnnn`; `None` for a word that is neither.
    ///
    /// # Errors
    /// The reason why a known type cannot stand in a zone file.
    pub(super) fn parse(word: &str) -> Option<Result<Self, &'static str>> {
        let number = TYPES.iter().find(|(name, ..)| word.eq_ignore_ascii_case(name)).map(|&(_, number, _)| number);
        let refused = REFUSED.iter().find(|(name, ..)| word.eq_ignore_ascii_case(name)).map(|&(_, number, _)| number);
        let generic = || {
            let digits = word.get(..4).filter(|head| head.eq_ignore_ascii_case("TYPE")).map(|_| &word[4..])?;
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let number = number.or(refused).or_else(generic)?;
        Some(match REFUSED.iter().find(|&&(_, refused, _)| refused == number) {
            Some((_, _, why)) => Err(why),
            // RFC 6895 §3.1: 128-255 are for queries and messages, 0 is reserved.
            None if number == 0 || (128..256).contains(&number) => Err("this number is not for records"),
            None => Ok(Self(number)),
        })
    }

    /// The mnemonics a zone file may use, for messages.
    pub(super) fn mnemonics() -> String {
        TYPES.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ")
    }

    fn fields(self) -> Option<&'static [Field]> {
        match TYPES.iter().find(|&&(_, number, _)| number == self.0)?.2 {
            Reader::Fields(fields) => Some(fields),
            Reader::Hickory => None,
        }
    }

    /// Where the names begin that may be compressed on the wire: those of RFC 1035's types only (RFC 3597 §4).
    pub(crate) fn compressible_names(self) -> CompressibleNames {
        match self {
            Self::NS | Self::CNAME | Self::PTR => CompressibleNames { before: 0, names: 1 },
            Self::MX => CompressibleNames { before: 2, names: 1 },
            Self::SOA => CompressibleNames { before: 0, names: 2 },
            _ => CompressibleNames { before: 0, names: 0 },
        }
    }
}

impl std::fmt::Display for Rtype {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = TYPES.iter().find(|&&(_, number, _)| number == self.0).map(|&(name, ..)| name);
        match known.or_else(|| REFUSED.iter().find(|&&(_, number, _)| number == self.0).map(|&(name, ..)| name)) {
            Some(name) => f.write_str(name),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}

/// The part of some rdata that holds names which may be compressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompressibleNames {
    /// Bytes before the first name.
    pub(crate) before: usize,
    /// How many names follow each other.
    pub(crate) names: usize,
}

/// Why some rdata cannot be read.
#[derive(Debug)]
pub(super) struct BadRdata {
    /// Which word; `None` when words are missing at the end.
    pub(super) token: Option<usize>,
    pub(super) message: String,
}

fn bad(token: usize, message: impl Into<String>) -> BadRdata {
    BadRdata { token: Some(token), message: message.into() }
}

/// Reads the words of one record's rdata into wire form, names uncompressed.
pub(super) fn read(rtype: Rtype, tokens: &[Token<'_>], origin: &[u8]) -> Result<Vec<u8>, BadRdata> {
    let is_generic = tokens.first().is_some_and(|first| !first.quoted && first.text == b"\\#");
    let wire = match rtype.fields() {
        _ if is_generic => read_generic(tokens)?,
        Some(fields) => read_fields(fields, tokens, origin)?,
        None if TYPES.iter().any(|&(_, number, _)| number == rtype.0) => read_by_hickory(rtype, tokens, origin)?,
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

fn read_fields(fields: &[Field], tokens: &[Token<'_>], origin: &[u8]) -> Result<Vec<u8>, BadRdata> {
    let mut wire = Vec::new();
    let mut at = 0;
    for field in fields {
        let Some(token) = tokens.get(at) else {
            return Err(BadRdata { token: None, message: format!("{} is missing", field.described()) });
        };
        match field {
            Hex => {
                wire.extend(read_hex(tokens, at)?);
                return Ok(wire);
            }
            Texts => {
                for (i, token) in tokens.iter().enumerate().skip(at) {
                    put_text(&mut wire, token).map_err(|message| bad(i, message))?;
                }
                return Ok(wire);
            }
            _ => put_field(*field, &mut wire, token, origin).map_err(|message| bad(at, message))?,
        }
        at += 1;
    }
    match tokens.get(at) {
        Some(_) => Err(bad(at, "nothing more is expected here")),
        None => Ok(wire),
    }
}

impl Field {
    fn described(self) -> &'static str {
        match self {
            Name => "a domain name",
            U8 => "a number from 0 to 255",
            U16 => "a number from 0 to 65535",
            U32 => "a number from 0 to 4294967295",
            Period => "a period in seconds, or with units (1h30m)",
            V4 => "an IPv4 address",
            V6 => "an IPv6 address",
            Text | Texts | Bytes => "a character string",
            Hex => "a row of hexadecimal digits",
        }
    }
}

fn put_field(field: Field, wire: &mut Vec<u8>, token: &Token<'_>, origin: &[u8]) -> Result<(), String> {
    let expected = || format!("{} is expected here", field.described());
    let word = || std::str::from_utf8(token.text).ok();
    fn number<T: std::str::FromStr>(word: Option<&str>) -> Option<T> {
        word.filter(|w| w.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()
    }
    match field {
        Name => wire.extend(
            name::parse_wire(token.text, Some(origin))
                .map_err(|error: NameError| format!("not a domain name: {error}"))?,
        ),
        U8 => wire.push(number(word()).ok_or_else(expected)?),
        U16 => wire.extend(number::<u16>(word()).ok_or_else(expected)?.to_be_bytes()),
        U32 => wire.extend(number::<u32>(word()).ok_or_else(expected)?.to_be_bytes()),
        Period => wire.extend(word().and_then(parse_period).ok_or_else(expected)?.to_be_bytes()),
        V4 => wire.extend(word().and_then(|w| w.parse::<Ipv4Addr>().ok()).ok_or_else(expected)?.octets()),
        V6 => wire.extend(word().and_then(|w| w.parse::<Ipv6Addr>().ok()).ok_or_else(expected)?.octets()),
        Text => put_text(wire, token)?,
        Bytes => wire.extend(unescaped(token)?),
        Texts | Hex => {
            unreachable!("`read_fields` takes these to the end itself")
        }
    }
    Ok(())
}

/// Seconds, or numbers with the units s, m, h, d and w, as in `1h30m`.
pub(super) fn parse_period(word: &str) -> Option<u32> {
    if word.bytes().all(|b| b.is_ascii_digit()) {
        return word.parse().ok();
    }
    let mut total = 0_u32;
    let mut rest = word;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let value: u32 = rest[..digits].parse().ok()?;
        let unit = match rest.as_bytes().get(digits)?.to_ascii_lowercase() {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(value.checked_mul(unit)?)?;
        rest = &rest[digits + 1..];
    }
    (!word.is_empty()).then_some(total)
}

fn unescaped(token: &Token<'_>) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(token.text.len());
    let mut rest = token.text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        out.push(match byte {
            b'\\' => name::unescape(&mut rest).ok_or_else(|| NameError::BadEscape.to_string())?,
            byte => byte,
        });
    }
    Ok(out)
}

fn put_text(wire: &mut Vec<u8>, token: &Token<'_>) -> Result<(), String> {
    let text = unescaped(token)?;
    let len = u8::try_from(text.len())
        .map_err(|_| format!("a character string holds at most 255 bytes, this one {}; split it in two", text.len()))?;
    wire.push(len);
    wire.extend(text);
    Ok(())
}

fn read_hex(tokens: &[Token<'_>], from: usize) -> Result<Vec<u8>, BadRdata> {
    let mut out = Vec::new();
    let mut high = None;
    for (i, token) in tokens.iter().enumerate().skip(from) {
        for &byte in token.text {
            let digit =
                char::from(byte).to_digit(16).ok_or_else(|| bad(i, "only hexadecimal digits are expected here"))?;
            high = match high {
                None => Some(digit),
                Some(high) => {
                    out.push((high * 16 + digit) as u8);
                    None
                }
            };
        }
    }
    match high {
        Some(_) => Err(bad(tokens.len() - 1, "an odd number of hexadecimal digits")),
        None => Ok(out),
    }
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

/// Whether the bytes are a row of such fields, names uncompressed.
fn are_fields(fields: &[Field], wire: &[u8]) -> bool {
    let mut rest = wire;
    for field in fields {
        let len = match field {
            Name => match wire_name_len(rest) {
                Some(len) => len,
                None => return false,
            },
            U8 => 1,
            U16 => 2,
            U32 | Period | V4 => 4,
            V6 => 16,
            Text => 1 + usize::from(rest.first().copied().unwrap_or(0)),
            Texts => {
                let mut at = 0;
                while let Some(&len) = rest.get(at) {
                    at += 1 + usize::from(len);
                }
                if at == 0 {
                    return false;
                }
                at
            }
            Bytes | Hex => rest.len(),
        };
        match rest.get(len..) {
            Some(tail) => rest = tail,
            None => return false,
        }
    }
    rest.is_empty()
}

/// Length of the uncompressed name at the start of `bytes`, if one is there.
fn wire_name_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match usize::from(*bytes.get(at)?) {
            0 if at < name::MAX_WIRE_LEN => return Some(at + 1),
            len if len <= name::MAX_LABEL_LEN && len > 0 => at += 1 + len,
            _ => return None,
        }
    }
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
    fn periods_take_units() {
        assert_eq!(parse_period("1h30m"), Some(5400));
        assert_eq!(parse_period("2W"), Some(1_209_600));
        for word in ["", "h", "1x", "1h30", "99999999w", "-1"] {
            assert_eq!(parse_period(word), None, "{word}");
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
        fn any_words_are_read_or_refused(kind in 0..TYPES.len(), words in "[ -~]{0,60}") {
            let line = format!("{} {words}", TYPES[kind].0);
            if let Some(Ok(entry)) = Entries::new(line.as_bytes()).next() {
                let rtype = Rtype(TYPES[kind].1);
                if let Ok(wire) = read(rtype, &entry.tokens[1..], b"\x07example\0") {
                    prop_assert!(is_well_formed(rtype, &wire));
                }
            }
        }
    }
}
