//! A packet to a [`Query`], or to what is wrong with it.
//!
//! The parser reads in place and allocates nothing; it walks the records behind the question only as far as the
//! packet reaches, whatever the counts in the header claim.

use std::fmt;

use super::edns::{Edns, EdnsError};
use crate::name::{MAX_LABEL_LEN, MAX_WIRE_LEN};
use crate::zone::Rtype;

/// Bytes of the header (RFC 1035 §4.1.1).
pub const HEADER_LEN: usize = 12;

/// Response codes (RFC 1035 §4.1.1, RFC 6891 §9).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
#[allow(missing_docs, reason = "the names of the registry")]
pub enum Rcode {
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    BadVers = 16,
}

impl Rcode {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::NoError, Self::FormErr, Self::ServFail, Self::NxDomain, Self::NotImp, Self::Refused, Self::BadVers];
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
            Self::BadVers => "BADVERS",
        })
    }
}

/// The parts of a query's header that a response takes over.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// Chosen by the client.
    pub id: u16,
    /// The flag bits as received.
    pub flags: u16,
}

/// What was asked.
#[derive(Clone)]
pub struct Question<'p> {
    /// The name in wire form, its letters as the client wrote them.
    pub name: &'p [u8],
    /// The type asked for.
    pub qtype: Rtype,
    /// Name, type and class as received.
    pub raw: &'p [u8],
}

/// A question that can be answered.
pub struct Query<'p> {
    /// For the response's header.
    pub header: Header,
    /// Exactly one (RFC 9619).
    pub question: Question<'p>,
    /// The OPT record, when there is one.
    pub edns: Option<Edns<'p>>,
}

/// A packet that gets an error instead of an answer.
pub struct Rejection<'p> {
    /// For the response's header.
    pub header: Header,
    /// The error.
    pub rcode: Rcode,
    /// The question as received, when it could be read.
    pub question: Option<&'p [u8]>,
    /// The OPT record, when it could be read.
    pub edns: Option<Edns<'p>>,
}

/// What a packet turned out to be.
pub enum Received<'p> {
    /// Nothing that may be answered: too short, or itself a response.
    Ignored,
    /// An error is answered.
    Rejected(Rejection<'p>),
    /// Somebody asks.
    Query(Query<'p>),
}

/// Reads a packet.
///
/// The order of the checks: what must get silence, then the opcode (RFC 9619 §4 speaks of QUERY only), the number
/// of questions, the question, the records behind it, the EDNS version, the class, the type.
pub fn parse(packet: &[u8]) -> Received<'_> {
    let Some((head, body)) = packet.split_first_chunk::<HEADER_LEN>() else {
        return Received::Ignored;
    };
    let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let header = Header { id: word(0), flags: word(2) };
    if header.is_response() {
        return Received::Ignored;
    }
    let reject = |rcode, question, edns| Received::Rejected(Rejection { header, rcode, question, edns });
    let counts = [word(6), word(8), word(10)];
    if header.opcode() != 0 {
        // An OPT record is answered by one (RFC 6891 §6.1.1) also here, where it can be found behind one question.
        let behind = question_len(body).filter(|_| word(4) == 1).map(|len| HEADER_LEN + len);
        let edns = behind.and_then(|at| find_opt(packet, at, counts).ok().flatten());
        return reject(Rcode::NotImp, None, edns);
    }
    if word(4) != 1 {
        return reject(Rcode::FormErr, None, None);
    }
    let Some((name_len, fixed)) = question(body) else {
        return reject(Rcode::FormErr, None, None);
    };
    let raw = &body[..name_len + 4];
    let edns = match find_opt(packet, HEADER_LEN + raw.len(), counts) {
        Ok(edns) => edns,
        Err(edns) => return reject(Rcode::FormErr, Some(raw), edns),
    };
    if edns.as_ref().is_some_and(|edns| edns.version > 0) {
        return reject(Rcode::BadVers, Some(raw), edns);
    }
    let [qtype_high, qtype_low, class @ ..] = *fixed;
    let qtype = Rtype(u16::from_be_bytes([qtype_high, qtype_low]));
    if class != [0, 1] || matches!(qtype, Rtype::AXFR | Rtype::IXFR) {
        return reject(Rcode::Refused, Some(raw), edns);
    }
    let name = &raw[..name_len];
    Received::Query(Query { header, question: Question { name, qtype, raw }, edns })
}

impl Header {
    const QR: u16 = 0x8000;
    const OPCODE: u16 = 0x7800;
    const AA: u16 = 0x0400;
    pub(super) const TC: u16 = 0x0200;
    const RD: u16 = 0x0100;
    const CD: u16 = 0x0010;

    fn is_response(self) -> bool {
        self.flags & Self::QR != 0
    }

    fn opcode(self) -> u16 {
        (self.flags & Self::OPCODE) >> 11
    }

    /// Flags of the response: opcode, RD and CD are copied; RA, Z and AD are clear (RFC 1035 §4.1.1, RFC 4035 §3.1.6).
    pub(super) fn response_flags(self, rcode: Rcode, authoritative: bool, truncated: bool) -> u16 {
        let copied = self.flags & (Self::OPCODE | Self::RD | Self::CD);
        let set = |flag, on| if on { flag } else { 0 };
        Self::QR | copied | set(Self::AA, authoritative) | set(Self::TC, truncated) | (rcode as u16 & 0xf)
    }
}

/// Length of the question, which begins at the body's first byte.
pub(super) fn question_len(body: &[u8]) -> Option<usize> {
    question(body).map(|(name_len, fixed)| name_len + fixed.len())
}

/// Length of the question's name, and the type and class behind it.
fn question(body: &[u8]) -> Option<(usize, &[u8; 4])> {
    let len = question_name_len(body)?;
    Some((len, body[len..].first_chunk()?))
}

/// Length of the question's name, the root's label included. There is nothing before it that a compression pointer
/// could point at.
fn question_name_len(body: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match usize::from(*body.get(at)?) {
            0 => return Some(at + 1),
            len if len <= MAX_LABEL_LEN && at + 1 + len < MAX_WIRE_LEN => at += 1 + len,
            _ => return None,
        }
    }
}

/// Walks the records from `at` on and reads the OPT among them.
///
/// # Errors
/// The packet is malformed: a record overruns it, or an OPT record stands twice, outside the additional section, at
/// another name than the root, or overruns itself (RFC 6891 §6.1.1). When only an option is wrong, the OPT is given.
fn find_opt<'p>(packet: &'p [u8], mut at: usize, counts: [u16; 3]) -> Result<Option<Edns<'p>>, Option<Edns<'p>>> {
    const ADDITIONAL: usize = 2;
    let mut found = None;
    for (section, count) in counts.into_iter().enumerate() {
        for _ in 0..count {
            let record = RecordAt::read(packet, at).ok_or(None)?;
            if record.is_opt() {
                if section != ADDITIONAL || !record.is_at_root || found.is_some() {
                    return Err(None);
                }
                found = Some(Edns::parse(record.fixed, record.data));
            }
            at = record.end;
        }
    }
    match found {
        None => Ok(None),
        Some(Ok(edns)) => Ok(Some(edns)),
        Some(Err(EdnsError::Overrun)) => Err(None),
        Some(Err(EdnsError::BadOption(edns))) => Err(Some(edns)),
    }
}

/// A record of a packet.
pub(super) struct RecordAt<'p> {
    /// Whether its owner is the root, written out.
    is_at_root: bool,
    /// Type, class, TTL and the length of the data.
    fixed: &'p [u8; 10],
    data: &'p [u8],
    /// Where the next record begins.
    pub(super) end: usize,
}

impl<'p> RecordAt<'p> {
    /// Reads the record that begins at `at`, which is in the packet or at its end; nothing when it overruns the packet.
    pub(super) fn read(packet: &'p [u8], at: usize) -> Option<Self> {
        let fixed_at = at + skip_name(&packet[at..])?;
        let fixed: &[u8; 10] = packet[fixed_at..].first_chunk()?;
        let data_at = fixed_at + fixed.len();
        let end = data_at + usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        Some(Self { is_at_root: packet[at] == 0, fixed, data: packet.get(data_at..end)?, end })
    }

    pub(super) fn is_opt(&self) -> bool {
        u16::from_be_bytes([self.fixed[0], self.fixed[1]]) == Rtype::OPT.0
    }
}

/// Length of a name that may end in a compression pointer, which is not followed.
fn skip_name(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            len if len & 0xc0 == 0xc0 => return (bytes.len() >= at + 2).then_some(at + 2),
            len if usize::from(len) <= MAX_LABEL_LEN => at += 1 + usize::from(len),
            _ => return None,
        }
    }
}
