//! Record types: their numbers and mnemonics, and what the rdata of each is made of.

use std::fmt;

use super::fields::Field::{self, Bytes, Hex, Name, Period, Text, Texts, U8, U16, U32, V4, V6};

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

    /// The fields of its rdata, unless hickory reads it or nobody knows it.
    pub(super) fn fields(self) -> Option<&'static [Field]> {
        match TYPES.iter().find(|&&(_, number, _)| number == self.0)?.2 {
            Reader::Fields(fields) => Some(fields),
            Reader::Hickory => None,
        }
    }

    /// Whether hickory's text parser reads its rdata.
    pub(super) fn is_read_by_hickory(self) -> bool {
        TYPES.iter().any(|&(_, number, ref reader)| number == self.0 && matches!(reader, Reader::Hickory))
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

impl fmt::Display for Rtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
