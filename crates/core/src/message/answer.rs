//! An answer as a value, before it is encoded.

use smallvec::SmallVec;

use super::query::Rcode;
use crate::pool::{Drawn, FAMILY_V4, FAMILY_V6};
use crate::zone::{Rrset, Rtype, Zone};

/// Records of one owner and type.
#[derive(Debug)]
pub struct Records<'a> {
    /// Wire form, letters as they should be shown.
    pub owner: &'a [u8],
    /// Type of all of them.
    pub rtype: Rtype,
    /// Seconds.
    pub ttl: u32,
    /// What they say.
    pub data: Data<'a>,
}

/// Where the rdata comes from.
#[derive(Debug)]
pub enum Data<'a> {
    /// An RRset of a zone, which is sent whole or not at all.
    Rrset(&'a [Box<[u8]>]),
    /// One fixed record.
    Fixed(&'static [u8]),
    /// Addresses drawn from a pool, which may be cut short where the message ends.
    V4(Drawn<FAMILY_V4>),
    /// The same for IPv6.
    V6(Drawn<FAMILY_V6>),
}

/// An address of a name server of a referral.
#[derive(Debug)]
pub struct Glue<'a> {
    /// Its records.
    pub records: Records<'a>,
    /// The server lies in the delegated zone, so that nobody finds it without: TC is set when it does not fit (RFC 9471).
    pub required: bool,
}

/// What is answered to a question.
#[derive(Debug)]
pub struct Answer<'a> {
    /// Success, or how it failed.
    pub rcode: Rcode,
    /// The AA bit.
    pub authoritative: bool,
    /// Aliases in the order they were followed, then what was asked for.
    pub answers: SmallVec<[Records<'a>; 2]>,
    /// SOA of a negative answer, or NS of a referral.
    pub authority: Option<Records<'a>>,
    /// Addresses of the name servers of a referral.
    pub additional: SmallVec<[Glue<'a>; 0]>,
    /// The pool that addresses were drawn from.
    pub drawn_from: Option<usize>,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(rcode: Rcode, authoritative: bool) -> Self {
        Self {
            rcode,
            authoritative,
            answers: SmallVec::new(),
            authority: None,
            additional: SmallVec::new(),
            drawn_from: None,
        }
    }

    /// NODATA, to be cached for `longest` seconds at most.
    pub(crate) fn nodata(zone: &'a Zone, longest: u32) -> Self {
        let mut answer = Self::new(Rcode::NoError, true);
        answer.negative(zone, longest);
        answer
    }

    /// The nodes whose addresses were drawn, in the order of the records.
    pub fn drawn_nodes(&self) -> impl Iterator<Item = u32> {
        let nodes = |records: &Records<'_>| -> SmallVec<[u32; 8]> {
            match &records.data {
                Data::V4(drawn) => drawn.iter().map(|pick| pick.node).collect(),
                Data::V6(drawn) => drawn.iter().map(|pick| pick.node).collect(),
                Data::Rrset(_) | Data::Fixed(_) => SmallVec::new(),
            }
        };
        self.answers.iter().flat_map(nodes)
    }

    pub(crate) fn push(&mut self, owner: &'a [u8], rrset: &'a Rrset) {
        self.answers.push(Records { owner, rtype: rrset.rtype, ttl: rrset.ttl, data: Data::Rrset(&rrset.rdatas) });
    }

    /// Adds the SOA that says how long "nothing" holds (RFC 2308 §3).
    pub(crate) fn negative(&mut self, zone: &'a Zone, longest: u32) {
        self.authority = Some(Records {
            owner: zone.apex().as_wire(),
            rtype: Rtype::SOA,
            ttl: zone.negative_ttl().min(longest),
            data: Data::Rrset(&zone.soa().rdatas),
        });
    }
}
