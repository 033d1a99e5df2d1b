//! An [`Answer`] to bytes, within a limit: names compressed against the question and each other (RFC 1035 §4.1.4).
//!
//! RRsets of a zone are sent whole or not at all, with TC set when they do not fit (RFC 2181 §9); drawn addresses
//! are cut where the message ends, with TC only when not even one fits; the OPT record is always kept.

use smallvec::SmallVec;

use super::answer::{Answer, Data, Records};
use super::edns::Edns;
use super::query::{HEADER_LEN, Header, Query, Rcode, Rejection};
use crate::name::{Labels, suffixes};
use crate::pool::Pick;

/// Names whose places are kept as targets of compression; more would cost more than they save.
const MAX_TARGETS: usize = 48;

/// Largest offset a compression pointer can hold.
const MAX_POINTER: usize = 0x3fff;

/// What became of an answer in its message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Written {
    /// Whether TC is set.
    pub is_truncated: bool,
    /// How many of the drawn addresses it holds.
    pub drawn: usize,
}

/// Writes the response to a query, at most `limit` bytes (at least 512), into `out`, which is emptied first.
pub fn encode(query: &Query<'_>, answer: &Answer<'_>, limit: usize, nsid: Option<&[u8]>, out: &mut Vec<u8>) -> Written {
    let opt_len = query.edns.as_ref().map_or(0, |edns| edns.response_len(nsid));
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
    finish(query.header, ResponseFields { rcode, authoritative, truncated, counts }, query.edns.as_ref(), nsid, out);
    Written { is_truncated: truncated, drawn }
}

/// Writes the response to a packet that is no good query.
pub fn encode_rejection(rejection: &Rejection<'_>, nsid: Option<&[u8]>, out: &mut Vec<u8>) {
    match rejection.question {
        Some(question) => start(question, out),
        None => start_header(0, out),
    }
    let Rejection { header, rcode, edns, .. } = rejection;
    let fields = ResponseFields { rcode: *rcode, authoritative: false, truncated: false, counts: [0; 3] };
    finish(*header, fields, edns.as_ref(), nsid, out);
}

/// Begins a message with an empty header and the question as it was asked; QDCOUNT is set.
pub(crate) fn start(question: &[u8], out: &mut Vec<u8>) {
    start_header(1, out);
    out.extend_from_slice(question);
}

/// Begins a message with a header that has only QDCOUNT.
fn start_header(questions: u8, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&[0, 0, 0, 0, 0, questions, 0, 0, 0, 0, 0, 0]);
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

/// Adds the OPT record and fills in the header; QDCOUNT is there already.
pub(crate) fn finish(
    header: Header,
    fields: ResponseFields,
    edns: Option<&Edns<'_>>,
    nsid: Option<&[u8]>,
    out: &mut Vec<u8>,
) {
    let ResponseFields { rcode, authoritative, truncated, mut counts } = fields;
    if let Some(edns) = edns {
        edns.write_response((rcode as u16 >> 4) as u8, nsid, out);
        counts[2] += 1;
    }
    let flags = header.response_flags(rcode, authoritative, truncated);
    out[0..2].copy_from_slice(&header.id.to_be_bytes());
    out[2..4].copy_from_slice(&flags.to_be_bytes());
    for (field, count) in out[6..HEADER_LEN].chunks_exact_mut(2).zip(counts) {
        field.copy_from_slice(&count.to_be_bytes());
    }
}

/// A message being written.
struct Message<'o> {
    out: &'o mut Vec<u8>,
    /// Where the records must end.
    limit: usize,
    /// Offsets of names, and of their parents, that can be pointed at.
    targets: SmallVec<[u16; MAX_TARGETS]>,
    /// How many drawn addresses it holds.
    drawn: usize,
}

impl<'o> Message<'o> {
    fn new(out: &'o mut Vec<u8>, limit: usize, question: &[u8]) -> Self {
        start_header(1, out);
        let mut message = Self { out, limit, targets: SmallVec::new(), drawn: 0 };
        message.put_name(question);
        message.out.extend(&question[question.len() - 4..]);
        message
    }

    /// Adds records and counts them; `false` when they do not fit, with the message as it was before.
    fn put(&mut self, records: &Records<'_>, count: &mut u16) -> bool {
        match &records.data {
            Data::Rrset(rdatas) => self.put_whole(records, rdatas.iter().map(|rdata| &**rdata), count),
            Data::Fixed(rdata) => self.put_whole(records, std::iter::once(*rdata), count),
            Data::V4(drawn) => self.put_drawn(records, drawn, count),
            Data::V6(drawn) => self.put_drawn(records, drawn, count),
        }
    }

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

    fn put_record(&mut self, records: &Records<'_>, rdata: &[u8]) {
        self.put_name(records.owner);
        self.out.extend(records.rtype.0.to_be_bytes());
        self.out.extend([0, 1]);
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
                rest = &rest[self.put_name(rest)..];
            }
        }
        self.out.extend(rest);
        let len = (self.out.len() - start) as u16;
        self.out[start - 2..start].copy_from_slice(&len.to_be_bytes());
    }

    /// Writes the name at the start of `bytes`, its longest known suffix as a pointer; gives its uncompressed length.
    fn put_name(&mut self, bytes: &[u8]) -> usize {
        let len = suffixes(bytes).count() - 1 + Labels::of(bytes).map(<[u8]>::len).sum::<usize>() + 1;
        for suffix in suffixes(&bytes[..len]) {
            if suffix == [0] {
                break;
            }
            if let Some(&target) = self.targets.iter().find(|&&target| self.is_at(suffix, usize::from(target))) {
                self.out.extend((0xc000 | target).to_be_bytes());
                return len;
            }
            if self.out.len() <= MAX_POINTER && self.targets.len() < MAX_TARGETS {
                self.targets.push(self.out.len() as u16);
            }
            self.out.extend(&suffix[..1 + usize::from(suffix[0])]);
        }
        self.out.push(0);
        len
    }

    /// Whether the name at an offset of the message is `name`, letter case aside. A name that is being written has no
    /// end yet and equals nothing.
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

    /// Where the pointers at an offset lead, each to an earlier place.
    fn follow(&self, mut at: usize) -> usize {
        while let Some(&[high, low]) = self.out.get(at..at + 2)
            && high & 0xc0 == 0xc0
        {
            at = usize::from(u16::from_be_bytes([high & 0x3f, low]));
        }
        at
    }
}
