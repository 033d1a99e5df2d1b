//! The RRsets of a zone, in two arrays instead of one allocation per record: a zone of a million
//! records takes a third of the memory, and is dropped at once.
//!
//! [`Zone`](super::Zone) fills the store owner by owner when it is made, and never changes it.

use super::Rtype;
use super::rrset::{Rdatas, Rrset, RrsetRef, put_rdata};

/// The RRsets of all owner names.
#[derive(Debug, Default)]
pub(super) struct RrsetStore {
    /// Those of one owner name are neighbours, in the order of their types.
    entries: Vec<Entry>,
    /// The rdata of all entries, in their order.
    rdata: Vec<u8>,
}

/// One RRset. Its rdata ends where that of the next one starts.
#[derive(Debug)]
struct Entry {
    /// Offset in `RrsetStore::rdata`.
    start: usize,
    ttl: u32,
    rtype: Rtype,
}

/// The RRsets of one owner name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RrsetRange {
    first: u32,
    count: u32,
}

impl RrsetRange {
    /// Returns true for an owner name without RRsets.
    pub(super) fn is_empty(self) -> bool {
        self.count == 0
    }
}

impl RrsetStore {
    /// Adds the RRsets of an owner name, in the order of their types.
    pub(super) fn add(&mut self, rrsets: &[Rrset<'_>]) -> RrsetRange {
        let index = |n: usize| u32::try_from(n).expect("2^32 RRsets do not fit into memory");
        let first = index(self.entries.len());
        for Rrset { rtype, ttl, rdatas } in rrsets {
            self.entries.push(Entry { start: self.rdata.len(), ttl: *ttl, rtype: *rtype });
            rdatas.iter().for_each(|rdata| put_rdata(&mut self.rdata, rdata));
        }
        RrsetRange { first, count: index(self.entries.len()) - first }
    }

    /// Frees the memory that nothing was added to.
    pub(super) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
        self.rdata.shrink_to_fit();
    }

    /// The RRsets of an owner name.
    pub(super) fn of(&self, range: RrsetRange) -> impl Iterator<Item = RrsetRef<'_>> {
        let first = range.first as usize;
        (first..first + range.count as usize).map(|index| self.at(index))
    }

    /// The RRset of a type of an owner name.
    pub(super) fn find(&self, range: RrsetRange, rtype: Rtype) -> Option<RrsetRef<'_>> {
        let first = range.first as usize;
        let entries = &self.entries[first..first + range.count as usize];
        entries.iter().position(|entry| entry.rtype == rtype).map(|i| self.at(first + i))
    }

    /// The RRset at an index.
    fn at(&self, index: usize) -> RrsetRef<'_> {
        let Entry { start, ttl, rtype } = self.entries[index];
        let end = self.entries.get(index + 1).map_or(self.rdata.len(), |next| next.start);
        RrsetRef { rtype, ttl, rdatas: Rdatas::new(&self.rdata[start..end]) }
    }
}
