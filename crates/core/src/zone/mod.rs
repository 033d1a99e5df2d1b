//! Zones: loaded once, then never changed.
//!
//! In reading order: `master` cuts a file into entries; `rtype`, `rdata` and `fields` know the types and read what
//! stands behind them; `load` makes records of the entries, and `check` looks at them as a whole. `tree` is the map of
//! names, and `lookup` says what a zone has for a name and a type: an RRset, a shared name, an alias, nothing, or a
//! referral.

mod check;
mod fields;
mod load;
mod lookup;
mod master;
mod rdata;
mod rtype;
mod tree;

pub use load::{NoIncludes, ReadIncluded, load};
pub use lookup::{Found, Referral, Zones};
pub use rtype::Rtype;

use crate::name::{Folded, Name};
use tree::NameTree;

/// The records of one owner name and type; class IN.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rrset {
    /// The type of all of them.
    pub rtype: Rtype,
    /// Seconds.
    pub ttl: u32,
    /// Wire form, names uncompressed; at least one, no two alike.
    pub rdatas: Vec<Box<[u8]>>,
}

/// An owner name whose addresses are drawn from a pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SharedName {
    /// Index of the pool in the configuration and in `Serving`.
    pub pool: usize,
    /// Seconds.
    pub ttl: u32,
    /// At most this many records in an answer.
    pub answers: usize,
}

/// What one owner name has.
#[derive(Debug, Default)]
struct Owner {
    /// In the order of their types.
    rrsets: Vec<Rrset>,
    shared: Option<SharedName>,
}

impl Owner {
    fn rrset(&self, rtype: Rtype) -> Option<&Rrset> {
        self.rrsets.iter().find(|rrset| rrset.rtype == rtype)
    }

    /// Nothing of its own: the name exists because of others below it (RFC 8499, "empty non-terminal").
    fn is_empty(&self) -> bool {
        self.rrsets.is_empty() && self.shared.is_none()
    }
}

/// A zone: an apex with SOA and NS, and the names below it.
#[derive(Debug)]
pub struct Zone {
    apex: Name,
    /// Labels of the apex.
    depth: usize,
    /// Rooted at the apex.
    owners: NameTree<Owner>,
    /// Those that are tied to a pool.
    shared: Vec<(Name, SharedName)>,
    soa: Rrset,
    /// TTL of the SOA in negative answers, in seconds (RFC 2308 §5).
    negative_ttl: u32,
}

/// Why a shared name cannot stand where it was put.
#[derive(Debug, Eq, PartialEq)]
pub enum Misplaced {
    /// The zone file has records of this type for the name.
    Beside(Rtype),
    /// The name lies at or below a delegation.
    Delegated,
}

impl Zone {
    /// Name of the zone.
    pub fn apex(&self) -> &Name {
        &self.apex
    }

    /// The SOA, with the TTL it has in the file.
    pub fn soa(&self) -> &Rrset {
        &self.soa
    }

    /// TTL of the SOA in negative answers: the lower of its TTL and its MINIMUM (RFC 2308 §5), in seconds.
    pub fn negative_ttl(&self) -> u32 {
        self.negative_ttl
    }

    /// Ties an owner name of this zone to a pool.
    ///
    /// # Errors
    /// Says which records of the zone file stand in the way; then nothing has changed.
    pub fn share(&mut self, name: &Name, shared: SharedName) -> Result<(), Misplaced> {
        let folded = Folded::new(name.as_wire());
        let below = || folded.labels_from_root().skip(self.depth);
        if self.owners.walk(below()).skip(1).any(|node| self.owners.value(node).rrset(Rtype::NS).is_some()) {
            return Err(Misplaced::Delegated);
        }
        let node = self.owners.insert(below());
        let owner = self.owners.value_mut(node);
        if let Some(rrset) = owner.rrsets.iter().find(|r| matches!(r.rtype, Rtype::A | Rtype::AAAA | Rtype::CNAME)) {
            return Err(Misplaced::Beside(rrset.rtype));
        }
        owner.shared = Some(shared);
        self.shared.push((name.clone(), shared));
        Ok(())
    }
}
