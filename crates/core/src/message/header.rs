//! The header of a message (RFC 1035 §4.1.1), and the response codes.

use std::fmt;

/// Bytes of the header (RFC 1035 §4.1.1).
pub const HEADER_LEN: usize = 12;

/// Response codes (RFC 1035 §4.1.1, RFC 2136 §2.2, RFC 6891 §9, RFC 7873 §8).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
#[allow(missing_docs, reason = "the names of the IANA registry")]
pub enum Rcode {
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    YxDomain = 6,
    NotAuth = 9,
    BadVers = 16,
    BadCookie = 23,
}

impl Rcode {
    /// All response codes.
    pub const ALL: [Self; 10] = [
        Self::NoError,
        Self::FormErr,
        Self::ServFail,
        Self::NxDomain,
        Self::NotImp,
        Self::Refused,
        Self::YxDomain,
        Self::NotAuth,
        Self::BadVers,
        Self::BadCookie,
    ];
}

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoError => "NOERROR",
            Self::FormErr => "FORMERR",
            Self::ServFail => "SERVFAIL",
            Self::NxDomain => "NXDOMAIN",
            Self::NotImp => "NOTIMP",
            Self::Refused => "REFUSED",
            Self::YxDomain => "YXDOMAIN",
            Self::NotAuth => "NOTAUTH",
            Self::BadVers => "BADVERS",
            Self::BadCookie => "BADCOOKIE",
        })
    }
}

/// The parts of a query's header that its response depends on.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// Chosen by the client.
    pub id: u16,
    /// The second 16-bit word as received: QR, OPCODE, the flag bits and RCODE.
    pub flags: u16,
}

/// The header fields of a response that its content decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseFields {
    /// The response code.
    pub(crate) rcode: Rcode,
    /// The AA bit.
    pub(crate) authoritative: bool,
    /// The TC bit.
    pub(crate) truncated: bool,
    /// Records in the answer, authority and additional sections, without the OPT record.
    pub(crate) counts: [u16; 3],
}

impl Header {
    const QR: u16 = 0x8000;
    const OPCODE: u16 = 0x7800;
    const AA: u16 = 0x0400;
    pub(super) const TC: u16 = 0x0200;
    const RD: u16 = 0x0100;
    const CD: u16 = 0x0010;

    /// Returns true if the message is a response.
    pub(super) fn is_response(self) -> bool {
        self.flags & Self::QR != 0
    }

    /// The kind of the query; 0 is QUERY.
    pub(super) fn opcode(self) -> u16 {
        (self.flags & Self::OPCODE) >> 11
    }

    /// Flags of the response: opcode, RD and CD are copied; RA, Z and AD are clear (RFC 1035
    /// §4.1.1, RFC 4035 §3.1.6).
    pub(super) fn response_flags(self, fields: ResponseFields) -> u16 {
        let ResponseFields { rcode, authoritative, truncated, .. } = fields;
        let copied = self.flags & (Self::OPCODE | Self::RD | Self::CD);
        let set = |flag, on| if on { flag } else { 0 };
        Self::QR | copied | set(Self::AA, authoritative) | set(Self::TC, truncated) | (rcode as u16 & 0xf)
    }
}
