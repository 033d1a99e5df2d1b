//! What the zones have for a name and a type: the algorithm of RFC 1034 §4.3.2 with the wildcards of RFC 4592.

use super::tree::{NameTree, NodeId};
use super::{Owner, Rrset, Rtype, SharedName, Zone};
use crate::name::{Folded, Name};

/// What a zone has for a name and a type.
#[derive(Debug)]
pub enum Found<'z> {
    /// The RRset that was asked for.
    Rrset(&'z Rrset),
    /// A shared name, asked for addresses.
    Shared(SharedName),
    /// The name is an alias: look up its target next.
    Cname(&'z Rrset),
    /// ANY was asked of a name that has records and is no alias.
    Any,
    /// The name exists, not with this type.
    NoData,
    /// The name does not exist.
    NxDomain,
    /// The name lies in a zone that is delegated away.
    Referral(Referral<'z>),
}

/// A delegation on the way to a name.
#[derive(Debug)]
pub struct Referral<'z> {
    /// How many labels of the name asked for make the delegated zone's name.
    pub labels: usize,
    /// Its name servers.
    pub ns: &'z Rrset,
}

impl Zone {
    /// Looks up a name at or below the apex.
    pub fn lookup(&self, name: &Folded, qtype: Rtype) -> Found<'_> {
        let count = name.label_count();
        let mut at = NameTree::<Owner>::ROOT;
        for (i, label) in name.labels_from_root().enumerate().skip(self.depth) {
            let Some(child) = self.owners.child(at, label) else {
                return match self.owners.child(at, b"*") {
                    Some(wildcard) => self.at_owner(wildcard, qtype),
                    None => Found::NxDomain,
                };
            };
            at = child;
            // The parent side answers for DS at the cut itself (RFC 4035 §3.1.4.1).
            if let Some(ns) = self.owners.value(at).rrset(Rtype::NS)
                && !(i + 1 == count && qtype == Rtype::DS)
            {
                return Found::Referral(Referral { labels: i + 1, ns });
            }
        }
        self.at_owner(at, qtype)
    }

    fn at_owner(&self, node: NodeId, qtype: Rtype) -> Found<'_> {
        let owner = self.owners.value(node);
        if let Some(shared) = owner.shared
            && matches!(qtype, Rtype::A | Rtype::AAAA)
        {
            return Found::Shared(shared);
        }
        if let Some(rrset) = owner.rrset(qtype) {
            return Found::Rrset(rrset);
        }
        if let Some(cname) = owner.rrset(Rtype::CNAME) {
            return Found::Cname(cname);
        }
        if qtype == Rtype::ANY && !owner.is_empty() { Found::Any } else { Found::NoData }
    }

    /// The A and AAAA records of exactly this name, also where they lie below a delegation.
    pub fn glue(&self, name: &Name) -> impl Iterator<Item = &Rrset> {
        let name = self.contains(name).then(|| Folded::new(name.as_wire()));
        let node = name.and_then(|name| {
            let mut below = name.labels_from_root().skip(self.depth);
            below.try_fold(NameTree::<Owner>::ROOT, |at, label| self.owners.child(at, label))
        });
        let rrsets = node.map_or(&[][..], |node| &self.owners.value(node).rrsets);
        rrsets.iter().filter(|rrset| matches!(rrset.rtype, Rtype::A | Rtype::AAAA))
    }

    /// Whether the name stands at or below the apex.
    pub fn contains(&self, name: &Name) -> bool {
        name.is_at_or_below(&self.apex)
    }
}

/// All zones that are served.
#[derive(Debug)]
pub struct Zones {
    zones: Vec<Zone>,
    /// Index of the zone at each apex.
    apexes: NameTree<Option<usize>>,
}

impl Zones {
    /// Takes zones of different names.
    pub fn new(zones: Vec<Zone>) -> Self {
        let mut apexes = NameTree::new();
        for (i, zone) in zones.iter().enumerate() {
            let node = apexes.insert(Folded::new(zone.apex.as_wire()).labels_from_root());
            *apexes.value_mut(node) = Some(i);
        }
        Self { zones, apexes }
    }

    /// The zone that answers for a name: the one with the longest apex at or above it.
    ///
    /// DS at an apex is answered by the zone above, when that is served too (RFC 4035 §3.1.4.1).
    pub fn find(&self, name: &Folded, qtype: Rtype) -> Option<&Zone> {
        self.index_of(name, qtype).map(|zone| &self.zones[zone])
    }

    /// The zone whose apex is longest at or above a name, to put shared names into.
    pub fn find_mut(&mut self, name: &Name) -> Option<&mut Zone> {
        self.index_of(&Folded::new(name.as_wire()), Rtype::A).map(|zone| &mut self.zones[zone])
    }

    fn index_of(&self, name: &Folded, qtype: Rtype) -> Option<usize> {
        let (mut deepest, mut above) = (None, None);
        for node in self.apexes.walk(name.labels_from_root()) {
            if let &Some(zone) = self.apexes.value(node) {
                above = deepest;
                deepest = Some(zone);
            }
        }
        let asks_parent = |zone: usize| qtype == Rtype::DS && self.zones[zone].depth == name.label_count();
        if deepest.is_some_and(asks_parent) { above.or(deepest) } else { deepest }
    }

    /// Names of the zones.
    pub fn apexes(&self) -> impl Iterator<Item = &Name> {
        self.zones.iter().map(|zone| &zone.apex)
    }
}
