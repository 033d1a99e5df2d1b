//! An answer as a value. [`crate::respond::answer()`] makes it, the encoder writes it.

use smallvec::SmallVec;

use super::extended_error::ExtendedError;
use super::header::Rcode;
use crate::pool::{Drawn, FAMILY_V4, FAMILY_V6};
use crate::zone::{Rdatas, RrsetRef, Rtype, Zone};

/// Records of one owner and type.
#[derive(Debug)]
pub struct Records<'a> {
    /// In wire format, with the letter case of the response.
    pub owner: &'a [u8],
    /// Type of all records.
    pub rtype: Rtype,
    /// In seconds.
    pub ttl: u32,
    /// The rdata.
    pub data: Data<'a>,
}

impl<'a> Records<'a> {
    /// The records of an RRset.
    pub(crate) fn of(owner: &'a [u8], rrset: RrsetRef<'a>) -> Self {
        Self { owner, rtype: rrset.rtype, ttl: rrset.ttl, data: Data::Rrset(rrset.rdatas) }
    }
}

/// The rdata of records.
#[derive(Debug)]
pub enum Data<'a> {
    /// An RRset of a zone, which is sent whole or not at all.
    Rrset(Rdatas<'a>),
    /// One record that is not in a zone.
    Fixed(&'a [u8]),
    /// IPv4 addresses drawn from a pool. As many are sent as fit.
    V4(Drawn<FAMILY_V4>),
    /// IPv6 addresses drawn from a pool. As many are sent as fit.
    V6(Drawn<FAMILY_V6>),
}

impl Data<'_> {
    /// Returns true if there is no record.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Rrset(_) | Self::Fixed(_) => false,
            Self::V4(drawn) => drawn.is_empty(),
            Self::V6(drawn) => drawn.is_empty(),
        }
    }
}

/// Addresses of a host that an answer names, or of a name server of a referral.
#[derive(Debug)]
pub struct Glue<'a> {
    /// Its address records.
    pub records: Records<'a>,
    /// The name server is in the delegated zone, so resolvers cannot find it without glue. TC is
    /// set if it does not fit (RFC 9471).
    pub required: bool,
}

/// The answer to a question.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The response code.
    pub rcode: Rcode,
    /// The AA bit.
    pub authoritative: bool,
    /// Aliases and DNAME records in the order in which they were followed, then the records of the
    /// type in question.
    pub answers: SmallVec<[Records<'a>; 2]>,
    /// The SOA record of a negative answer, or the NS records of a referral.
    pub authority: Option<Records<'a>>,
    /// Addresses of the hosts that the answer names, or of the name servers of a referral.
    pub additional: SmallVec<[Glue<'a>; 0]>,
    /// Index of the pool whose addresses were drawn.
    pub drawn_from: Option<usize>,
    /// Why there is no answer.
    pub extended_error: Option<ExtendedError>,
}

impl<'a> Answer<'a> {
    /// An answer without records.
    pub(crate) fn new(rcode: Rcode, authoritative: bool) -> Self {
        Self {
            rcode,
            authoritative,
            answers: SmallVec::new(),
            authority: None,
            additional: SmallVec::new(),
            drawn_from: None,
            extended_error: None,
        }
    }

    /// An error without records.
    pub(crate) fn error(rcode: Rcode, why: ExtendedError) -> Self {
        Self { extended_error: Some(why), ..Self::new(rcode, false) }
    }

    /// NODATA that resolvers may cache for at most `max_ttl` seconds.
    pub(crate) fn nodata(zone: &'a Zone, max_ttl: u32) -> Self {
        let mut answer = Self::new(Rcode::NoError, true);
        answer.add_soa(zone, max_ttl);
        answer
    }

    /// Indices of the nodes whose addresses were drawn, in the order of the records.
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

    /// Adds an RRset to the answer section.
    pub(crate) fn push(&mut self, owner: &'a [u8], rrset: RrsetRef<'a>) {
        self.answers.push(Records::of(owner, rrset));
    }

    /// Adds the SOA record that makes a negative answer cacheable (RFC 2308 §3), for at most
    /// `max_ttl` seconds.
    pub(crate) fn add_soa(&mut self, zone: &'a Zone, max_ttl: u32) {
        self.authority = Some(Records {
            owner: zone.apex().as_wire(),
            rtype: Rtype::SOA,
            ttl: zone.negative_ttl().min(max_ttl),
            data: Data::Rrset(zone.soa().rdatas),
        });
    }
}
