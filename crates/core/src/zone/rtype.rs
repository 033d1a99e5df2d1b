//! Record types: numbers and mnemonics.
//!
//! Queries and zones use the number. How a type is written in a zone file is in
//! `file/rdata/format.rs`.

use std::fmt;

use super::mnemonics::MNEMONICS;

/// The number of a record type (RFC 1035 §3.2.2 and the IANA registry).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Rtype(pub u16);

#[allow(missing_docs, reason = "the mnemonics of the IANA registry")]
impl Rtype {
    pub const A: Self = Self(1);
    pub const NS: Self = Self(2);
    pub const CNAME: Self = Self(5);
    pub const SOA: Self = Self(6);
    pub const PTR: Self = Self(12);
    pub const HINFO: Self = Self(13);
    pub const MX: Self = Self(15);
    pub const TXT: Self = Self(16);
    pub const AFSDB: Self = Self(18);
    pub const AAAA: Self = Self(28);
    pub const SRV: Self = Self(33);
    pub const KX: Self = Self(36);
    pub const DNAME: Self = Self(39);
    pub const OPT: Self = Self(41);
    pub const DS: Self = Self(43);
    pub const RRSIG: Self = Self(46);
    pub const NSEC: Self = Self(47);
    pub const DNSKEY: Self = Self(48);
    pub const NSEC3: Self = Self(50);
    pub const NSEC3PARAM: Self = Self(51);
    pub const SVCB: Self = Self(64);
    pub const HTTPS: Self = Self(65);
    pub const IXFR: Self = Self(251);
    pub const AXFR: Self = Self(252);
    pub const ANY: Self = Self(255);
}

impl Rtype {
    /// Reads a mnemonic or `TYPEnnn` (RFC 3597 §5), in any letter case.
    pub(super) fn from_mnemonic(word: &str) -> Option<Self> {
        let known = MNEMONICS.iter().find(|(mnemonic, _)| word.eq_ignore_ascii_case(mnemonic));
        let generic = || {
            let digits = word.get(..4).filter(|head| head.eq_ignore_ascii_case("TYPE")).map(|_| &word[4..])?;
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        known.map(|&(_, number)| number).or_else(generic).map(Self)
    }

    /// The mnemonic of the type, if `MNEMONICS` contains one.
    pub(super) fn mnemonic(self) -> Option<&'static str> {
        MNEMONICS.iter().find(|(_, number)| *number == self.0).map(|&(mnemonic, _)| mnemonic)
    }

    /// The part of the rdata whose names may be compressed in a message. RFC 3597 §4 allows that
    /// for the types of RFC 1035 only.
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
        match self.mnemonic() {
            Some(mnemonic) => f.write_str(mnemonic),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}

/// The part of some rdata whose names may be compressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompressibleNames {
    /// Bytes before the first name.
    pub(crate) before: usize,
    /// Number of consecutive names.
    pub(crate) names: usize,
}
