//! The parser: reads a packet as a [`Query`], or as a [`Rejection`] with the error to respond with.
//!
//! The responder calls [`parse`] per packet. The parser reads in place and allocates no memory. It
//! reads as many records after the question as the header counts: a count that exceeds the packet
//! is FORMERR, and bytes after the last counted record are ignored. No packet makes it panic.

use super::edns::{Edns, EdnsError};
use super::extended_error::ExtendedError;
use super::header::{HEADER_LEN, Header, Rcode};
use super::tsig::Tsig;
use crate::name::{MAX_LABEL_LEN, wire_len};
use crate::zone::Rtype;

/// The class of zones.
const IN: u16 = 1;

/// The class of texts about servers (RFC 4892).
const CH: u16 = 3;

/// The question of a query.
#[derive(Clone)]
pub struct Question<'p> {
    /// The name in wire format, with the letter case of the query.
    pub name: &'p [u8],
    /// The type.
    pub qtype: Rtype,
    /// Name, type and class as received.
    pub raw: &'p [u8],
}

/// A question that can be answered.
pub struct Query<'p> {
    /// The header, for that of the response.
    pub header: Header,
    /// Exactly one (RFC 9619).
    pub question: Question<'p>,
    /// The OPT record, if there is one.
    pub edns: Option<Edns<'p>>,
}

/// A packet that gets an error as its response, or only a cookie.
pub struct Rejection<'p> {
    /// The header, for that of the response.
    pub header: Header,
    /// The error.
    pub rcode: Rcode,
    /// The question as received, if it could be read.
    pub question: Option<&'p [u8]>,
    /// The OPT record, if it could be read.
    pub edns: Option<Edns<'p>>,
    /// Why there is no answer.
    pub extended_error: Option<ExtendedError>,
    /// The TSIG record, if this is the reason.
    pub tsig: Option<Tsig<'p>>,
}

/// The result of parsing a packet.
pub enum Received<'p> {
    /// The packet gets no response: it is too short, or is a response itself.
    Ignored,
    /// The packet gets an error.
    Rejected(Rejection<'p>),
    /// The packet is a query for a zone.
    Query(Query<'p>),
    /// The packet asks for a text about the server: class CH, type TXT (RFC 4892).
    ServerQuery(Query<'p>),
}

impl<'p> Received<'p> {
    /// The OPT record, if it could be read.
    pub fn edns(&self) -> Option<&Edns<'p>> {
        match self {
            Self::Ignored => None,
            Self::Rejected(rejection) => rejection.edns.as_ref(),
            Self::Query(query) | Self::ServerQuery(query) => query.edns.as_ref(),
        }
    }
}

/// Reads a packet.
///
/// The order of the checks decides the error:
///
/// 1. packets that get no response
/// 2. the opcode; the rules of RFC 9619 §4 about questions are for QUERY only
/// 3. the number of questions, and the question
/// 4. the records after the question
/// 5. the EDNS version
/// 6. a signature, whose key the server does not know (RFC 8945 §5.2)
/// 7. the class and the type
pub fn parse(packet: &[u8]) -> Received<'_> {
    let Some((head, body)) = packet.split_first_chunk::<HEADER_LEN>() else {
        return Received::Ignored;
    };
    let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let header = Header { id: word(0), flags: word(2) };
    if header.is_response() {
        return Received::Ignored;
    }
    let reject = |rcode, question, edns| {
        Received::Rejected(Rejection { header, rcode, question, edns, extended_error: None, tsig: None })
    };
    let counts = [word(6), word(8), word(10)];
    if header.opcode() != 0 {
        // A query with an OPT record gets one in its response (RFC 6891 §6.1.1), even with this
        // opcode. The OPT record can only be found after a single question.
        let after_question = question_len(body).filter(|_| word(4) == 1).map(|len| HEADER_LEN + len);
        let edns = after_question.and_then(|at| read_records(packet, at, counts).ok()?.edns);
        return reject(Rcode::NotImp, None, edns);
    }
    if word(4) == 0
        && let Some(edns) = cookie_request(packet, counts)
    {
        return reject(Rcode::NoError, None, Some(edns));
    }
    let Some((name_len, fixed)) = question(body).filter(|_| word(4) == 1) else {
        return reject(Rcode::FormErr, None, None);
    };
    let raw = &body[..name_len + 4];
    let Known { edns, tsig } = match read_records(packet, HEADER_LEN + raw.len(), counts) {
        Ok(known) => known,
        Err(edns) => return reject(Rcode::FormErr, Some(raw), edns),
    };
    if edns.as_ref().is_some_and(|edns| edns.version > 0) {
        return reject(Rcode::BadVers, Some(raw), edns);
    }
    let [qtype_high, qtype_low, class @ ..] = *fixed;
    let qtype = Rtype(u16::from_be_bytes([qtype_high, qtype_low]));
    let (question, extended_error) = (Some(raw), Some(ExtendedError::NotSupported));
    if tsig.is_some() {
        let rcode = Rcode::NotAuth;
        return Received::Rejected(Rejection { header, rcode, question, edns, extended_error: None, tsig });
    }
    let query = Query { header, question: Question { name: &raw[..name_len], qtype, raw }, edns };
    match (u16::from_be_bytes(class), qtype) {
        (IN, qtype) if !matches!(qtype, Rtype::AXFR | Rtype::IXFR) => Received::Query(query),
        (CH, Rtype::TXT) => Received::ServerQuery(query),
        _ => Received::Rejected(Rejection { header, rcode: Rcode::Refused, question, edns, extended_error, tsig }),
    }
}

/// The OPT record of a packet without a question that asks for a cookie only (RFC 7873 §5.4).
fn cookie_request(packet: &[u8], counts: [u16; 3]) -> Option<Edns<'_>> {
    let edns = read_records(packet, HEADER_LEN, counts).ok()?.edns?;
    (edns.version == 0 && edns.cookie.is_some()).then_some(edns)
}

/// Length of the question at the start of `body`.
pub(super) fn question_len(body: &[u8]) -> Option<usize> {
    question(body).map(|(name_len, fixed)| name_len + fixed.len())
}

/// Length of the name in the question, and the type and class after it.
fn question(body: &[u8]) -> Option<(usize, &[u8; 4])> {
    let len = wire_len(body)?;
    Some((len, body[len..].first_chunk()?))
}

/// The records after the question that the server knows.
struct Known<'p> {
    edns: Option<Edns<'p>>,
    tsig: Option<Tsig<'p>>,
}

/// Reads the OPT and the TSIG record among the records from offset `at` on.
///
/// # Errors
/// The packet is malformed (RFC 6891 §6.1.1, RFC 8945 §5.1):
///
/// - a record is longer than the packet
/// - there are two OPT records, or one is outside the additional section or not at the root
/// - the options do not fill the OPT record exactly
/// - an option is malformed: then the error has the OPT record
/// - a TSIG record is malformed, or is not the last record
fn read_records<'p>(packet: &'p [u8], mut at: usize, counts: [u16; 3]) -> Result<Known<'p>, Option<Edns<'p>>> {
    const ADDITIONAL: usize = 2;
    let (mut found, mut tsig) = (None, None);
    for (section, count) in counts.into_iter().enumerate() {
        for left in (0..count).rev() {
            let record = RecordAt::read(packet, at).ok_or(None)?;
            if record.is_opt() {
                if section != ADDITIONAL || !record.is_at_root || found.is_some() {
                    return Err(None);
                }
                found = Some(Edns::parse(record.fixed, record.data));
            } else if Tsig::is_type(record.rtype()) {
                let is_last = section == ADDITIONAL && left == 0;
                tsig = Some(Tsig::parse(&packet[at..], record.data).filter(|_| is_last).ok_or(None)?);
            }
            at = record.end;
        }
    }
    match found {
        None => Ok(Known { edns: None, tsig }),
        Some(Ok(edns)) => Ok(Known { edns: Some(edns), tsig }),
        Some(Err(EdnsError::Overrun)) => Err(None),
        Some(Err(EdnsError::BadOption(edns))) => Err(Some(edns)),
    }
}

/// A record of a packet.
pub(super) struct RecordAt<'p> {
    /// The owner is the root, without a compression pointer.
    is_at_root: bool,
    /// Type, class, TTL and the length of the data.
    fixed: &'p [u8; 10],
    data: &'p [u8],
    /// Offset of the next record.
    pub(super) end: usize,
}

impl<'p> RecordAt<'p> {
    /// Reads the record at offset `at`, which is at most the length of the packet. Returns `None`
    /// if the record is longer than the packet.
    pub(super) fn read(packet: &'p [u8], at: usize) -> Option<Self> {
        let fixed_at = at + skip_name(&packet[at..])?;
        let fixed: &[u8; 10] = packet[fixed_at..].first_chunk()?;
        let data_at = fixed_at + fixed.len();
        let end = data_at + usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        Some(Self { is_at_root: packet[at] == 0, fixed, data: packet.get(data_at..end)?, end })
    }

    /// Returns true for an OPT record.
    pub(super) fn is_opt(&self) -> bool {
        self.rtype() == Rtype::OPT.0
    }

    /// The number of its type.
    fn rtype(&self) -> u16 {
        u16::from_be_bytes([self.fixed[0], self.fixed[1]])
    }

    /// The TTL in seconds. That of an OPT record is something else (RFC 6891 §6.1.3).
    pub(super) fn ttl(&self) -> u32 {
        u32::from_be_bytes([self.fixed[4], self.fixed[5], self.fixed[6], self.fixed[7]])
    }
}

/// Length of a name, up to its compression pointer if it has one. The pointer is not followed.
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
