//! WKS: the well-known services of an address (RFC 1035 §3.4.2): `address protocol service…`.

use super::super::period::decimal;
use super::field::{Field, V4};
use super::rdata_error::RdataError;
use super::type_bitmap::bitmap;
use super::words::Words;

/// Protocols by name (IANA registry).
const PROTOCOLS: &[(&str, u8)] = &[("icmp", 1), ("tcp", 6), ("udp", 17)];

/// Services by name, as RFC 1700 has them.
const SERVICES: &[(&str, u16)] = &[
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("time", 37),
    ("nameserver", 42),
    ("domain", 53),
    ("tftp", 69),
    ("gopher", 70),
    ("finger", 79),
    ("http", 80),
    ("kerberos", 88),
    ("pop2", 109),
    ("pop3", 110),
    ("sunrpc", 111),
    ("auth", 113),
    ("nntp", 119),
    ("ntp", 123),
    ("imap", 143),
    ("snmp", 161),
    ("https", 443),
];

/// Longest bitmap, in bytes: one bit per port.
const MAX_BITMAP: usize = 65_536 / 8;

/// The whole rdata.
pub(super) const WKS: Field =
    Field::new(read, |wire| Some(wire.len()).filter(|len| (5..=5 + MAX_BITMAP).contains(len)));

fn read(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    (V4.read)(words, out)?;
    let protocol = words.parse("a protocol, as TCP or 6", |word| {
        let known = PROTOCOLS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
        known.map(|&(_, number)| number).or_else(|| decimal(word))
    })?;
    out.push(protocol);
    let mut ports = Vec::new();
    while !words.is_empty() {
        ports.push(words.parse("a service, as smtp or 25", |word| {
            let known = SERVICES.iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
            known.map(|&(_, port)| port).or_else(|| decimal(word)).map(usize::from)
        })?);
    }
    out.extend(bitmap(ports.into_iter()));
    Ok(())
}
