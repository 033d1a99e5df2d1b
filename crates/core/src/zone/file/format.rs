//! How the rdata of each record type is written in a zone file, and which types are refused.

use super::fields::Field::{self, Bytes, Hex, Name, Period, Text, Texts, U8, U16, U32, V4, V6};
use crate::zone::Rtype;

/// How the rdata of a type is written.
#[derive(Clone, Copy)]
pub(super) enum Format {
    /// As a sequence of fields.
    Fields(&'static [Field]),
    /// In a syntax of its own, which hickory's text parser reads.
    Hickory,
}

use Format::{Fields, Hickory};

/// The types that a zone file may hold by mnemonic. The others need `\# LENGTH HEX` (RFC 3597 §5).
const FORMATS: &[(&str, Format)] = &[
    ("A", Fields(&[V4])),
    ("NS", Fields(&[Name])),
    ("CNAME", Fields(&[Name])),
    ("SOA", Fields(&[Name, Name, U32, Period, Period, Period, Period])),
    ("PTR", Fields(&[Name])),
    ("HINFO", Fields(&[Text, Text])),
    ("MX", Fields(&[U16, Name])),
    ("TXT", Fields(&[Texts])),
    ("RP", Fields(&[Name, Name])),
    ("AFSDB", Fields(&[U16, Name])),
    ("AAAA", Fields(&[V6])),
    ("SRV", Fields(&[U16, U16, U16, Name])),
    ("NAPTR", Fields(&[U16, U16, Text, Text, Text, Name])),
    ("KX", Fields(&[U16, Name])),
    ("CERT", Hickory),
    ("DS", Fields(&[U16, U8, U8, Hex])),
    ("SSHFP", Fields(&[U8, U8, Hex])),
    ("TLSA", Fields(&[U8, U8, U8, Hex])),
    ("SMIMEA", Fields(&[U8, U8, U8, Hex])),
    ("OPENPGPKEY", Hickory),
    ("CSYNC", Hickory),
    ("SVCB", Hickory),
    ("HTTPS", Hickory),
    ("SPF", Fields(&[Texts])),
    ("CAA", Fields(&[U8, Text, Bytes])),
];

/// Types that a zone file must not hold, and why.
const REFUSED: &[(&str, &str)] = &[
    ("DNAME", "DNAME redirection is not served; write a CNAME or a wildcard CNAME for each name"),
    ("OPT", "OPT belongs to messages, not to zones"),
    ("RRSIG", "signed zones are not served"),
    ("NSEC", "signed zones are not served"),
    ("DNSKEY", "signed zones are not served"),
    ("NSEC3", "signed zones are not served"),
    ("NSEC3PARAM", "signed zones are not served"),
    ("TKEY", "TKEY belongs to messages, not to zones"),
    ("TSIG", "TSIG belongs to messages, not to zones"),
    ("IXFR", "IXFR is a type of queries only"),
    ("AXFR", "AXFR is a type of queries only"),
    ("MAILB", "MAILB is a type of queries only"),
    ("MAILA", "MAILA is a type of queries only"),
    ("ANY", "ANY is a type of queries only"),
];

impl Format {
    /// The format of a type; `None` if only `\# LENGTH HEX` is accepted.
    pub(super) fn of(rtype: Rtype) -> Option<Self> {
        let mnemonic = rtype.mnemonic()?;
        FORMATS.iter().find(|(of, _)| *of == mnemonic).map(|&(_, format)| format)
    }

    /// The fields of a type, if it consists of fields.
    pub(super) fn fields_of(rtype: Rtype) -> Option<&'static [Field]> {
        match Self::of(rtype)? {
            Fields(fields) => Some(fields),
            Hickory => None,
        }
    }
}

/// Why a zone file must not hold records of a type; `None` if it may.
pub(super) fn refusal(rtype: Rtype) -> Option<&'static str> {
    let mnemonic = rtype.mnemonic();
    let known = REFUSED.iter().find(|(of, _)| Some(*of) == mnemonic).map(|&(_, why)| why);
    // RFC 6895 §3.1: 128 to 255 are for queries and messages, 0 is reserved.
    known.or_else(|| (rtype.0 == 0 || (128..256).contains(&rtype.0)).then_some("this number is not for records"))
}

/// The mnemonics that a zone file may use, for messages to users.
pub(super) fn mnemonics() -> String {
    FORMATS.iter().map(|(mnemonic, _)| *mnemonic).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_the_tables_has_a_number() {
        for mnemonic in FORMATS.iter().map(|(of, _)| of).chain(REFUSED.iter().map(|(of, _)| of)) {
            let rtype = Rtype::from_mnemonic(mnemonic).unwrap_or_else(|| panic!("{mnemonic} has no number"));
            assert_eq!(refusal(rtype).is_some(), Format::of(rtype).is_none(), "{mnemonic}");
        }
    }
}
