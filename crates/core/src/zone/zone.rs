//! A zone: an apex with an SOA record, and the owner names at and below it.
//!
//! `file` builds a zone from the records of a zone file. `lookup` reads it.

use std::num::NonZeroU32;

use smallvec::SmallVec;

use super::rrset_store::{RrsetRange, RrsetStore};
use super::tree::{NameTree, TreeIndex};
use super::{Rrset, RrsetRef, Rtype, SharedName, SharedNameConflict};
use crate::name::{Folded, Name};

/// The data of one owner name.
#[derive(Debug, Default)]
pub(super) struct Owner {
    /// Its RRsets in the store of the zone.
    rrsets: RrsetRange,
    /// Set if the addresses of the name are drawn from a pool: the index in `Zone::shared`, plus 1.
    shared: Option<NonZeroU32>,
}

impl Owner {
    /// Returns true for an empty non-terminal (RFC 9499): only names below it have data.
    pub(super) fn is_empty(&self) -> bool {
        self.rrsets.is_empty() && self.shared.is_none()
    }
}

/// A zone with its shared names.
#[derive(Debug)]
pub struct Zone {
    apex: Name,
    /// Number of labels of the apex.
    depth: usize,
    /// Rooted at the apex.
    owners: NameTree<Owner>,
    rrsets: RrsetStore,
    /// Names whose addresses are drawn from pools.
    shared: Vec<(Name, SharedName)>,
    /// TTL of the SOA record in negative answers, in seconds (RFC 2308 §5).
    negative_ttl: u32,
}

impl Zone {
    /// A zone of these owner names, which are at or below the apex, each once.
    ///
    /// Returns `None` if the apex has no SOA record.
    pub(super) fn new<'r>(
        apex: Name,
        rrsets: impl IntoIterator<Item = (&'r Name, SmallVec<[Rrset<'r>; 1]>)>,
    ) -> Option<Self> {
        let depth = apex.labels().count();
        let (mut owners, mut store) = (NameTree::<Owner>::new(), RrsetStore::default());
        let rrsets = rrsets.into_iter();
        owners.reserve(rrsets.size_hint().0);
        for (name, rrsets) in rrsets {
            let node = owners.insert(Folded::new(name.as_wire()).labels_from_root().skip(depth));
            owners.value_mut(node).rrsets = store.add(&rrsets);
        }
        owners.shrink();
        store.shrink();
        let soa = store.find(owners.value(NameTree::<Owner>::ROOT).rrsets, Rtype::SOA)?;
        let negative_ttl = soa.ttl.min(soa_minimum(soa.rdatas.first()));
        Some(Self { apex, depth, owners, rrsets: store, shared: Vec::new(), negative_ttl })
    }

    /// Name of the zone.
    pub fn apex(&self) -> &Name {
        &self.apex
    }

    /// The SOA record, with the TTL of the zone file.
    pub fn soa(&self) -> RrsetRef<'_> {
        self.rrset(NameTree::<Owner>::ROOT, Rtype::SOA).expect("a zone has an SOA record")
    }

    /// TTL of the SOA record in negative answers, in seconds: the lower of its TTL and its MINIMUM
    /// (RFC 2308 §5).
    pub fn negative_ttl(&self) -> u32 {
        self.negative_ttl
    }

    /// Returns true if the name is at or below the apex.
    pub fn contains(&self, name: &Name) -> bool {
        name.is_at_or_below(&self.apex)
    }

    /// Number of labels of the apex.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// The owner names, in a tree that is rooted at the apex.
    pub(super) fn owners(&self) -> &NameTree<Owner> {
        &self.owners
    }

    /// The RRset of a type of an owner name.
    pub(super) fn rrset(&self, owner: TreeIndex, rtype: Rtype) -> Option<RrsetRef<'_>> {
        self.rrsets.find(self.owners.value(owner).rrsets, rtype)
    }

    /// All RRsets of an owner name.
    pub(super) fn rrsets(&self, owner: TreeIndex) -> impl Iterator<Item = RrsetRef<'_>> {
        self.rrsets.of(self.owners.value(owner).rrsets)
    }

    /// How the addresses of an owner name are drawn, if it is a shared name.
    pub(super) fn shared_name(&self, owner: TreeIndex) -> Option<SharedName> {
        self.owners.value(owner).shared.map(|index| self.shared[index.get() as usize - 1].1)
    }

    /// Names whose addresses are drawn from pools.
    pub(super) fn shared_names(&self) -> &[(Name, SharedName)] {
        &self.shared
    }

    /// Makes an owner name of this zone a shared name.
    ///
    /// # Errors
    /// The records of the zone file do not allow it. The zone is unchanged then.
    pub fn share(&mut self, name: &Name, shared: SharedName) -> Result<(), SharedNameConflict> {
        let folded = Folded::new(name.as_wire());
        let below = || folded.labels_from_root().skip(self.depth);
        if self.owners.walk(below()).skip(1).any(|node| self.rrset(node, Rtype::NS).is_some()) {
            return Err(SharedNameConflict::Delegated);
        }
        if self.owners.walk(below()).any(|node| self.rrset(node, Rtype::DNAME).is_some()) {
            return Err(SharedNameConflict::Redirected);
        }
        let node = self.owners.insert(below());
        if let Some(rrset) = self.rrsets(node).find(|r| matches!(r.rtype, Rtype::A | Rtype::AAAA | Rtype::CNAME)) {
            return Err(SharedNameConflict::OtherData(rrset.rtype));
        }
        self.shared.push((name.clone(), shared));
        let index = u32::try_from(self.shared.len()).ok().and_then(NonZeroU32::new);
        self.owners.value_mut(node).shared = Some(index.expect("2^32 names do not fit into memory"));
        Ok(())
    }
}

/// MINIMUM: the last four bytes of the SOA rdata (RFC 1035 §3.3.13).
fn soa_minimum(rdata: &[u8]) -> u32 {
    rdata.last_chunk().map_or(0, |minimum| u32::from_be_bytes(*minimum))
}
