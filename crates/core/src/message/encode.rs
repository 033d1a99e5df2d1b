//! The encoder: writes an [`Answer`] as a message of limited length.
//!
//! The responder calls [`encode`] on the slow path. The fast path uses the start and the end of a
//! message from here. Encoding cannot fail; records that do not fit are left out:
//!
//! - an RRset of a zone is sent whole, or it is left out and TC is set (RFC 2181 §9)
//! - as many drawn addresses are sent as fit, with TC set only if none fits
//! - as much glue is sent as fits, with TC set if required glue does not fit (RFC 9471)
//! - the OPT record is always sent
//!
//! Names are compressed against the question and each other (RFC 1035 §4.1.4).

use smallvec::SmallVec;

use super::answer::{Answer, Data, Records};
use super::edns::{Edns, ResponseOptions};
use super::header::{HEADER_LEN, Header, Rcode, ResponseFields};
use super::query::{Query, Rejection};
use crate::name::{Labels, suffixes, wire_len};
use crate::pool::Pick;

/// Most names that compression pointers can point to. More would cost more time than they save
/// bytes.
const MAX_TARGETS: usize = 48;

/// Largest offset that a compression pointer can have.
const MAX_POINTER: usize = 0x3fff;

/// How much of an answer its message holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Written {
    /// TC is set.
    pub is_truncated: bool,
    /// Number of drawn addresses in the message.
    pub drawn: usize,
}

/// Writes the response to a query into `out`, which is cleared first.
///
/// The response has at most `limit` bytes, which is at least 512. Only padding exceeds a limit below
/// 65,535 bytes.
pub fn encode(
    query: &Query<'_>,
    answer: &Answer<'_>,
    limit: usize,
    options: &ResponseOptions<'_>,
    out: &mut Vec<u8>,
) -> Written {
    let options = &ResponseOptions { extended_error: answer.extended_error, ..*options };
    let opt_len = query.edns.as_ref().map_or(0, |edns| edns.response_len(options));
    let mut message = Message::new(out, limit - opt_len, query.question.raw);
    let mut counts = [0_u16; 3];
    let mut truncated = false;
    for records in &answer.answers {
        truncated = truncated || !message.put(records, &mut counts[0]);
    }
    if let Some(records) = &answer.authority {
        truncated = truncated || !message.put(records, &mut counts[1]);
    }
    if !truncated {
        for glue in &answer.additional {
            let fits = message.put(&glue.records, &mut counts[2]);
            truncated |= glue.required && !fits;
        }
    }
    let drawn = message.drawn;
    let Answer { rcode, authoritative, .. } = *answer;
    finish(query.header, ResponseFields { rcode, authoritative, truncated, counts }, query.edns.as_ref(), options, out);
    Written { is_truncated: truncated, drawn }
}

/// Writes the response to a packet that gets an error. `out` is cleared first.
pub fn encode_rejection(rejection: &Rejection<'_>, options: &ResponseOptions<'_>, out: &mut Vec<u8>) {
    match rejection.question {
        Some(question) => start(question, out),
        None => start_header(0, out),
    }
    let Rejection { header, rcode, edns, extended_error, tsig, .. } = rejection;
    let options = &ResponseOptions { extended_error: *extended_error, ..*options };
    let fields = ResponseFields { rcode: *rcode, authoritative: false, truncated: false, counts: [0; 3] };
    finish(*header, fields, edns.as_ref(), options, out);
    // It is the last record (RFC 8945 §5.1).
    if tsig.is_some_and(|tsig| tsig.write_unknown_key(out)) {
        out[HEADER_LEN - 1] += 1;
    }
}

/// Writes a response without records and with TC set, so that the client asks again over TCP. `out`
/// is cleared first.
pub fn encode_truncated(query: &Query<'_>, options: &ResponseOptions<'_>, out: &mut Vec<u8>) {
    start(query.question.raw, out);
    let fields = ResponseFields { rcode: Rcode::NoError, authoritative: false, truncated: true, counts: [0; 3] };
    finish(query.header, fields, query.edns.as_ref(), options, out);
}

/// Begins a message with a header that has only QDCOUNT, and with the question as received.
pub(crate) fn start(question: &[u8], out: &mut Vec<u8>) {
    start_header(1, out);
    out.extend_from_slice(question);
}

/// Begins a message with a header that has only QDCOUNT.
fn start_header(questions: u8, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&[0, 0, 0, 0, 0, questions, 0, 0, 0, 0, 0, 0]);
}

/// Adds the OPT record, and fills in the header except QDCOUNT, which is set already.
pub(crate) fn finish(
    header: Header,
    fields: ResponseFields,
    edns: Option<&Edns<'_>>,
    options: &ResponseOptions<'_>,
    out: &mut Vec<u8>,
) {
    let mut counts = fields.counts;
    if let Some(edns) = edns {
        edns.write_response((fields.rcode as u16 >> 4) as u8, options, out);
        counts[2] += 1;
    }
    let flags = header.response_flags(fields);
    out[0..2].copy_from_slice(&header.id.to_be_bytes());
    out[2..4].copy_from_slice(&flags.to_be_bytes());
    for (field, count) in out[6..HEADER_LEN].chunks_exact_mut(2).zip(counts) {
        field.copy_from_slice(&count.to_be_bytes());
    }
}

/// A name in the message that compression pointers can point to.
#[derive(Clone, Copy)]
struct Target {
    offset: u16,
    /// Length of the whole name, uncompressed. Names are compared only if their lengths are equal:
    /// otherwise, the many parents of one long name would be compared with those of another.
    len: u8,
}

/// A message while it is written.
struct Message<'o> {
    out: &'o mut Vec<u8>,
    /// The largest offset at which the records may end.
    limit: usize,
    /// The class of the question, and of all records.
    class: [u8; 2],
    /// Names and their parents that compression pointers can point to.
    targets: SmallVec<[Target; MAX_TARGETS]>,
    /// Number of drawn addresses so far.
    drawn: usize,
}

impl<'o> Message<'o> {
    /// A message with the question as received.
    fn new(out: &'o mut Vec<u8>, limit: usize, question: &[u8]) -> Self {
        start_header(1, out);
        let class = question.last_chunk().copied().unwrap_or_default();
        let mut message = Self { out, limit, class, targets: SmallVec::new(), drawn: 0 };
        message.put_question(question);
        message
    }

    /// Adds records and counts them. Returns false, with the message unchanged, if they do not fit.
    fn put(&mut self, records: &Records<'_>, count: &mut u16) -> bool {
        match &records.data {
            Data::Rrset(rdatas) => self.put_whole(records, rdatas.into_iter(), count),
            Data::Fixed(rdata) => self.put_whole(records, std::iter::once(*rdata), count),
            Data::V4(drawn) => self.put_drawn(records, drawn, count),
            Data::V6(drawn) => self.put_drawn(records, drawn, count),
        }
    }

    /// Adds all records, or none if they do not fit.
    fn put_whole<'r>(
        &mut self,
        records: &Records<'_>,
        rdatas: impl Iterator<Item = &'r [u8]>,
        count: &mut u16,
    ) -> bool {
        let (start, targets) = (self.out.len(), self.targets.len());
        let mut added = 0;
        for rdata in rdatas {
            self.put_record(records, rdata);
            if self.out.len() > self.limit {
                self.out.truncate(start);
                self.targets.truncate(targets);
                return false;
            }
            added += 1;
        }
        *count += added;
        true
    }

    /// Adds as many drawn addresses as fit. Returns false if none fits.
    fn put_drawn<const N: usize>(&mut self, records: &Records<'_>, drawn: &[Pick<N>], count: &mut u16) -> bool {
        let mut added = 0;
        for pick in drawn {
            if !self.put_whole(records, std::iter::once(pick.address.as_slice()), &mut added) {
                break;
            }
        }
        *count += added;
        self.drawn += usize::from(added);
        added > 0
    }

    /// Adds a record, beyond the limit if need be.
    fn put_record(&mut self, records: &Records<'_>, rdata: &[u8]) {
        self.put_name(records.owner);
        self.out.extend(records.rtype.0.to_be_bytes());
        self.out.extend(self.class);
        self.out.extend(records.ttl.to_be_bytes());
        let start = self.out.len() + 2;
        self.out.extend([0, 0]);
        let compressible = records.rtype.compressible_names();
        let mut rest = rdata;
        if compressible.names > 0 {
            let (before, names) = rdata.split_at(compressible.before);
            self.out.extend(before);
            rest = names;
            for _ in 0..compressible.names {
                let (name, after) = rest.split_at(name_len(rest));
                self.put_name(name);
                rest = after;
            }
        }
        self.out.extend(rest);
        let len = (self.out.len() - start) as u16;
        self.out[start - 2..start].copy_from_slice(&len.to_be_bytes());
    }

    /// Writes the question as received. No parent of its name can be compressed, because each is
    /// shorter than the one before.
    fn put_question(&mut self, question: &[u8]) {
        let name_len = question.len() - 4;
        for parent in suffixes(&question[..name_len]).take(MAX_TARGETS).filter(|parent| *parent != [0]) {
            let offset = HEADER_LEN + name_len - parent.len();
            self.targets.push(Target { offset: offset as u16, len: parent.len() as u8 });
        }
        self.out.extend(question);
    }

    /// Writes a name, with a pointer for its longest known suffix.
    fn put_name(&mut self, name: &[u8]) {
        for suffix in suffixes(name) {
            if suffix == [0] {
                break;
            }
            if let Some(offset) = self.find(suffix) {
                return self.out.extend((0xc000 | offset).to_be_bytes());
            }
            if self.out.len() <= MAX_POINTER && self.targets.len() < MAX_TARGETS {
                self.targets.push(Target { offset: self.out.len() as u16, len: suffix.len() as u8 });
            }
            self.out.extend(&suffix[..1 + usize::from(suffix[0])]);
        }
        self.out.push(0);
    }

    /// The offset of a name that is already in the message, in any letter case.
    fn find(&self, name: &[u8]) -> Option<u16> {
        let equal = |target: &&Target| {
            let at = usize::from(target.offset);
            // Most names are not compressed themselves. The case of letters does not change the
            // lengths of labels, which are less than any letter.
            usize::from(target.len) == name.len()
                && (self.out.get(at..at + name.len()).is_some_and(|written| written.eq_ignore_ascii_case(name))
                    || self.is_at(name, at))
        };
        self.targets.iter().find(equal).map(|target| target.offset)
    }

    /// Returns true if the name at an offset of the message is `name`, in any letter case. A name
    /// that is not yet written to its end equals no other name.
    fn is_at(&self, name: &[u8], mut at: usize) -> bool {
        for label in Labels::of(name) {
            at = self.follow(at);
            let written = self.out.get(at..at + 1 + label.len());
            if !written.is_some_and(|w| usize::from(w[0]) == label.len() && w[1..].eq_ignore_ascii_case(label)) {
                return false;
            }
            at += 1 + label.len();
        }
        self.out.get(self.follow(at)) == Some(&0)
    }

    /// Follows compression pointers. Each points to a lower offset, so there is an end.
    fn follow(&self, mut at: usize) -> usize {
        while let Some(&[high, low]) = self.out.get(at..at + 2)
            && high & 0xc0 == 0xc0
        {
            at = usize::from(u16::from_be_bytes([high & 0x3f, low]));
        }
        at
    }
}

/// Length of the name at the start of `bytes`.
fn name_len(bytes: &[u8]) -> usize {
    wire_len(bytes).unwrap_or_default()
}
