//! Fields of numbers that have mnemonics.

use super::super::period::decimal;
use super::field::Field;
use super::rdata_error::RdataError;
use super::words::Words;
use crate::zone::Rtype;

/// A mnemonic and its number.
type Mnemonic = (&'static str, u16);

/// Algorithms of DNSSEC keys and signatures (RFC 8624, IANA registry).
const ALGORITHMS: &[Mnemonic] = &[
    ("RSAMD5", 1),
    ("DH", 2),
    ("DSA", 3),
    ("ECC", 4),
    ("RSASHA1", 5),
    ("DSA-NSEC3-SHA1", 6),
    ("NSEC3DSA", 6),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("NSEC3RSASHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECC-GOST", 12),
    ("ECCGOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("SM2SM3", 17),
    ("ECC-GOST12", 23),
    ("INDIRECT", 252),
    ("PRIVATEDNS", 253),
    ("PRIVATEOID", 254),
];

/// Types of certificates (RFC 4398 §2.1).
const CERTIFICATE_TYPES: &[Mnemonic] = &[
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
];

/// Digest types of DS (IANA registry).
const DIGESTS: &[Mnemonic] =
    &[("SHA-1", 1), ("SHA1", 1), ("SHA-256", 2), ("SHA256", 2), ("GOST", 3), ("SHA-384", 4), ("SHA384", 4)];

/// Protocols of keys (RFC 2535 §7.1).
const PROTOCOLS: &[Mnemonic] = &[("NONE", 0), ("TLS", 1), ("EMAIL", 2), ("DNSSEC", 3), ("IPSEC", 4), ("ALL", 255)];

/// Schemes of DSYNC (RFC 9859 §2.2).
const SCHEMES: &[Mnemonic] = &[("NOTIFY", 1)];

/// The algorithm of a DNSSEC key or signature: a number or a mnemonic.
pub(super) const ALGORITHM: Field =
    Field::new(|words, out| put_u8(ALGORITHMS, "an algorithm (0 to 255, or as RSASHA256)", words, out), |_| Some(1));

/// The type of a certificate: a number or a mnemonic.
pub(super) const CERTIFICATE_TYPE: Field = Field::new(
    |words, out| {
        let number = read(CERTIFICATE_TYPES, "a certificate type (0 to 65535, or as PKIX)", words)?;
        out.extend(number.to_be_bytes());
        Ok(())
    },
    |_| Some(2),
);

/// The digest type of DS: a number or a mnemonic.
pub(super) const DIGEST: Field =
    Field::new(|words, out| put_u8(DIGESTS, "a digest type (0 to 255, or as SHA-256)", words, out), |_| Some(1));

/// The protocol of a key: a number or a mnemonic.
pub(super) const PROTOCOL: Field =
    Field::new(|words, out| put_u8(PROTOCOLS, "a protocol (0 to 255, or as DNSSEC)", words, out), |_| Some(1));

/// The scheme of DSYNC: a number or a mnemonic.
pub(super) const SCHEME: Field =
    Field::new(|words, out| put_u8(SCHEMES, "a scheme (0 to 255, or as NOTIFY)", words, out), |_| Some(1));

/// A record type: a mnemonic or `TYPEnnn`.
pub(super) const TYPE: Field = Field::new(
    |words, out| {
        out.extend(words.parse("a record type", Rtype::from_mnemonic)?.0.to_be_bytes());
        Ok(())
    },
    |_| Some(2),
);

/// Reads a number or a mnemonic in any letter case.
fn read(mnemonics: &[Mnemonic], what: &str, words: &mut Words<'_, '_>) -> Result<u16, RdataError> {
    words.parse(what, |word| {
        let known = mnemonics.iter().find(|(mnemonic, _)| word.eq_ignore_ascii_case(mnemonic));
        known.map(|&(_, number)| number).or_else(|| decimal(word))
    })
}

/// Reads a number or a mnemonic into one byte.
fn put_u8(mnemonics: &[Mnemonic], what: &str, words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let number = read(mnemonics, what, words)?;
    out.push(u8::try_from(number).map_err(|_| words.wrong(format!("{what} is expected here")))?);
    Ok(())
}
