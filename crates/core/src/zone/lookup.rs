//! Lookup in one zone: the algorithm of RFC 1034 §4.3.2 with the wildcards of RFC 4592 and
//! the DNAME records of RFC 6672.
//!
//! [`crate::respond`] finds the zone of a name with [`Zones::find`](super::Zones::find) and then
//! calls [`Zone::lookup`]. For an alias or a redirection, it begins again with the target.

use super::tree::{NameTree, TreeIndex};
use super::zone::Owner;
use super::{RrsetRef, Rtype, SharedName, Zone};
use crate::name::{Folded, Name};

/// The result of looking up a name and a type in a zone.
#[derive(Debug)]
pub enum Lookup<'z> {
    /// The RRset of this name and type.
    Rrset(RrsetRef<'z>),
    /// The name is a shared name, and the type is A or AAAA.
    SharedName(SharedName),
    /// The name is an alias. The caller looks up its target next.
    Cname(RrsetRef<'z>),
    /// The type is ANY, and the name has data and is not an alias.
    Any,
    /// The name exists, but not with this type.
    NoData,
    /// The name does not exist.
    NxDomain,
    /// The name is below a name with a DNAME record. The caller looks up the substituted name next.
    Dname(Redirection<'z>),
    /// The name is in a zone that this zone delegates.
    Referral(Referral<'z>),
}

/// A delegation at or above a name.
#[derive(Debug)]
pub struct Referral<'z> {
    /// Number of labels of the delegated zone's apex, which ends the name.
    pub labels: usize,
    /// The name servers of the delegated zone.
    pub ns: RrsetRef<'z>,
}

/// A DNAME record above a name (RFC 6672).
#[derive(Debug)]
pub struct Redirection<'z> {
    /// Number of labels of the owner name, which ends the name.
    pub labels: usize,
    /// The DNAME record.
    pub dname: RrsetRef<'z>,
}

impl Zone {
    /// Looks up a name at or below the apex.
    pub fn lookup(&self, name: &Folded, qtype: Rtype) -> Lookup<'_> {
        let count = name.label_count();
        let mut at = NameTree::<Owner>::ROOT;
        for (i, label) in name.labels_from_root().enumerate().skip(self.depth()) {
            // A DNAME record redirects the names below its owner name, not the owner name (RFC 6672
            // §2.3).
            if let Some(dname) = self.rrset(at, Rtype::DNAME) {
                return Lookup::Dname(Redirection { labels: i, dname });
            }
            let Some(child) = self.owners().child(at, label) else {
                return match self.owners().child(at, b"*") {
                    Some(wildcard) => self.lookup_at(wildcard, qtype),
                    None => Lookup::NxDomain,
                };
            };
            at = child;
            // The parent side answers for DS at the zone cut itself (RFC 4035 §3.1.4.1).
            if let Some(ns) = self.rrset(at, Rtype::NS)
                && !(i + 1 == count && qtype == Rtype::DS)
            {
                return Lookup::Referral(Referral { labels: i + 1, ns });
            }
        }
        self.lookup_at(at, qtype)
    }

    /// Looks up a type at an owner name.
    fn lookup_at(&self, node: TreeIndex, qtype: Rtype) -> Lookup<'_> {
        if matches!(qtype, Rtype::A | Rtype::AAAA)
            && let Some(shared) = self.shared_name(node)
        {
            return Lookup::SharedName(shared);
        }
        if let Some(rrset) = self.rrset(node, qtype) {
            return Lookup::Rrset(rrset);
        }
        if let Some(cname) = self.rrset(node, Rtype::CNAME) {
            return Lookup::Cname(cname);
        }
        if qtype == Rtype::ANY && !self.owners().value(node).is_empty() { Lookup::Any } else { Lookup::NoData }
    }

    /// The A and AAAA records of exactly this name, even below a delegation.
    pub fn glue(&self, name: &Name) -> impl Iterator<Item = RrsetRef<'_>> {
        let name = self.contains(name).then(|| Folded::new(name.as_wire()));
        let node = name.and_then(|name| {
            let mut below = name.labels_from_root().skip(self.depth());
            below.try_fold(NameTree::<Owner>::ROOT, |at, label| self.owners().child(at, label))
        });
        let rrsets = node.into_iter().flat_map(|node| self.rrsets(node));
        rrsets.filter(|rrset| matches!(rrset.rtype, Rtype::A | Rtype::AAAA))
    }
}
