//! How the rdata of each record type is written in a zone file, and which types are refused.

use super::a6::A6;
use super::apl::PREFIXES;
use super::encoded::{BASE64, BASE64_OR_DASH, HASH, HEX, OPTIONAL_BASE64, SALT};
use super::field::{
    BYTES, DIGITS, Field, LETTERS, NAME, OPTIONAL_TEXT, PERIOD, TAG, TEXT, TEXTS, U8, U16, U32, U64, V4, V6,
};
use super::gateway::{AMTRELAY, IPSECKEY};
use super::hardware::{EUI48, EUI64, LOCATOR};
use super::hip::HIP;
use super::loc::LOC;
use super::mnemonic::{ALGORITHM, CERTIFICATE_TYPE, DIGEST, PROTOCOL, SCHEME, TYPE};
use super::nsap::{ATMA, NSAP};
use super::svcb::PARAMETERS;
use super::timestamp::TIMESTAMP;
use super::type_bitmap::{OLD_TYPE_BITMAP, TYPE_BITMAP};
use super::wks::WKS;
use crate::zone::Rtype;

const KEY_FIELDS: &[Field] = &[U16, PROTOCOL, ALGORITHM, BASE64];
const DS_FIELDS: &[Field] = &[U16, ALGORITHM, DIGEST, HEX];
const SIGNATURE: &[Field] = &[TYPE, ALGORITHM, U8, PERIOD, TIMESTAMP, TIMESTAMP, U16, NAME, BASE64];
const TLSA_FIELDS: &[Field] = &[U8, U8, U8, HEX];
const SVCB_FIELDS: &[Field] = &[U16, NAME, PARAMETERS];

/// The types that a zone file may hold by mnemonic. The others need `\# LENGTH HEX` (RFC 3597 §5).
const FORMATS: &[(&str, &[Field])] = &[
    ("A", &[V4]),
    ("NS", &[NAME]),
    ("MD", &[NAME]),
    ("MF", &[NAME]),
    ("CNAME", &[NAME]),
    ("SOA", &[NAME, NAME, U32, PERIOD, PERIOD, PERIOD, PERIOD]),
    ("MB", &[NAME]),
    ("MG", &[NAME]),
    ("MR", &[NAME]),
    ("WKS", &[WKS]),
    ("PTR", &[NAME]),
    ("HINFO", &[TEXT, TEXT]),
    ("MINFO", &[NAME, NAME]),
    ("MX", &[U16, NAME]),
    ("TXT", &[TEXTS]),
    ("RP", &[NAME, NAME]),
    ("AFSDB", &[U16, NAME]),
    ("X25", &[DIGITS]),
    ("ISDN", &[TEXT, OPTIONAL_TEXT]),
    ("RT", &[U16, NAME]),
    ("NSAP", &[NSAP]),
    ("NSAP-PTR", &[NAME]),
    ("SIG", SIGNATURE),
    ("KEY", &[U16, PROTOCOL, ALGORITHM, OPTIONAL_BASE64]),
    ("PX", &[U16, NAME, NAME]),
    ("GPOS", &[TEXT, TEXT, TEXT]),
    ("AAAA", &[V6]),
    ("LOC", &[LOC]),
    ("NXT", &[NAME, OLD_TYPE_BITMAP]),
    ("EID", &[HEX]),
    ("NIMLOC", &[HEX]),
    ("SRV", &[U16, U16, U16, NAME]),
    ("ATMA", &[ATMA]),
    ("NAPTR", &[U16, U16, LETTERS, TEXT, TEXT, NAME]),
    ("KX", &[U16, NAME]),
    ("CERT", &[CERTIFICATE_TYPE, U16, ALGORITHM, BASE64]),
    ("A6", &[A6]),
    ("SINK", &[U8, U8, U8, BASE64]),
    ("APL", &[PREFIXES]),
    ("DNAME", &[NAME]),
    ("DS", DS_FIELDS),
    ("SSHFP", &[U8, U8, HEX]),
    ("IPSECKEY", &[IPSECKEY]),
    ("RRSIG", SIGNATURE),
    ("NSEC", &[NAME, TYPE_BITMAP]),
    ("DNSKEY", KEY_FIELDS),
    ("DHCID", &[BASE64]),
    ("NSEC3", &[U8, U8, U16, SALT, HASH, TYPE_BITMAP]),
    ("NSEC3PARAM", &[U8, U8, U16, SALT]),
    ("TLSA", TLSA_FIELDS),
    ("SMIMEA", TLSA_FIELDS),
    ("HIP", &[HIP]),
    ("NINFO", &[TEXTS]),
    ("RKEY", KEY_FIELDS),
    ("TALINK", &[NAME, NAME]),
    ("CDS", DS_FIELDS),
    ("CDNSKEY", KEY_FIELDS),
    ("OPENPGPKEY", &[BASE64]),
    ("CSYNC", &[U32, U16, TYPE_BITMAP]),
    ("ZONEMD", &[U32, U8, U8, HEX]),
    ("SVCB", SVCB_FIELDS),
    ("HTTPS", SVCB_FIELDS),
    ("DSYNC", &[TYPE, SCHEME, U16, NAME]),
    ("HHIT", &[BASE64]),
    ("BRID", &[BASE64]),
    ("SPF", &[TEXTS]),
    ("NID", &[U16, LOCATOR]),
    ("L32", &[U16, V4]),
    ("L64", &[U16, LOCATOR]),
    ("LP", &[U16, NAME]),
    ("EUI48", &[EUI48]),
    ("EUI64", &[EUI64]),
    ("URI", &[U16, U16, BYTES]),
    ("CAA", &[U8, TAG, BYTES]),
    ("AVC", &[TEXTS]),
    ("DOA", &[U32, U32, U8, TEXT, BASE64_OR_DASH]),
    ("AMTRELAY", &[AMTRELAY]),
    ("RESINFO", &[TEXTS]),
    ("WALLET", &[TEXTS]),
    ("CLA", &[TEXTS]),
    ("IPN", &[U64]),
    ("TA", DS_FIELDS),
    ("DLV", DS_FIELDS),
];

/// Types that a zone file must not hold, and why.
const REFUSED: &[(&str, &str)] = &[
    ("OPT", "OPT belongs to messages, not to zones"),
    ("NXNAME", "NXNAME belongs to NSEC records, not to zones"),
    ("TKEY", "TKEY belongs to messages, not to zones"),
    ("TSIG", "TSIG belongs to messages, not to zones"),
    ("IXFR", "IXFR is a type of queries only"),
    ("AXFR", "AXFR is a type of queries only"),
    ("MAILB", "MAILB is a type of queries only"),
    ("MAILA", "MAILA is a type of queries only"),
    ("ANY", "ANY is a type of queries only"),
];

/// The fields of a type; `None` if only `\# LENGTH HEX` is accepted.
pub(super) fn fields_of(rtype: Rtype) -> Option<&'static [Field]> {
    let mnemonic = rtype.mnemonic()?;
    FORMATS.iter().find(|(of, _)| *of == mnemonic).map(|&(_, fields)| fields)
}

/// Why a zone file must not hold records of a type; `None` if it may.
pub(in super::super) fn refusal(rtype: Rtype) -> Option<&'static str> {
    let mnemonic = rtype.mnemonic();
    let known = REFUSED.iter().find(|(of, _)| Some(*of) == mnemonic).map(|&(_, why)| why);
    // RFC 6895 §3.1: 128 to 255 are for queries and messages, 0 is reserved.
    known.or_else(|| (rtype.0 == 0 || (128..256).contains(&rtype.0)).then_some("this number is not for records"))
}

/// The mnemonics that a zone file may use, for messages to users.
pub(in super::super) fn mnemonics() -> impl Iterator<Item = &'static str> + Clone {
    FORMATS.iter().map(|(mnemonic, _)| *mnemonic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_the_tables_has_a_number() {
        for mnemonic in FORMATS.iter().map(|(of, _)| of).chain(REFUSED.iter().map(|(of, _)| of)) {
            let rtype = Rtype::from_mnemonic(mnemonic).unwrap_or_else(|| panic!("{mnemonic} has no number"));
            assert_eq!(refusal(rtype).is_some(), fields_of(rtype).is_none(), "{mnemonic}");
        }
    }
}
