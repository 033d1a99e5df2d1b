//! All zones of a configuration, and the choice of the zone that answers for a name.

use super::tree::NameTree;
use super::{Lookup, Rtype, SharedName, Zone};
use crate::name::{Folded, Name};

/// All zones that are served.
#[derive(Debug)]
pub struct Zones {
    zones: Vec<Zone>,
    /// Index of the zone at each apex.
    apexes: NameTree<Option<usize>>,
}

impl Zones {
    /// Takes zones, which all have different apexes.
    pub fn new(zones: Vec<Zone>) -> Self {
        let mut apexes = NameTree::new();
        for (i, zone) in zones.iter().enumerate() {
            let node = apexes.insert(Folded::new(zone.apex().as_wire()).labels_from_root());
            *apexes.value_mut(node) = Some(i);
        }
        Self { zones, apexes }
    }

    /// The zone that answers for a name: the zone with the longest apex at or above it.
    ///
    /// DS at an apex is answered by the parent zone, if that is served too (RFC 4035 §3.1.4.1).
    pub fn find(&self, name: &Folded, qtype: Rtype) -> Option<&Zone> {
        self.index_of(name, qtype).map(|zone| &self.zones[zone])
    }

    /// The zone with the longest apex at or above a name, to put shared names into it.
    pub fn find_mut(&mut self, name: &Name) -> Option<&mut Zone> {
        self.index_of(&Folded::new(name.as_wire()), Rtype::A).map(|zone| &mut self.zones[zone])
    }

    /// The shared names of all zones, with their zones.
    pub fn shared_names(&self) -> impl Iterator<Item = (&Zone, &Name, SharedName)> {
        self.zones.iter().flat_map(|zone| zone.shared_names().iter().map(move |(name, shared)| (zone, name, *shared)))
    }

    fn index_of(&self, name: &Folded, qtype: Rtype) -> Option<usize> {
        let (mut deepest, mut above) = (None, None);
        for node in self.apexes.walk(name.labels_from_root()) {
            if let &Some(zone) = self.apexes.value(node) {
                above = deepest;
                deepest = Some(zone);
            }
        }
        let asks_parent = |zone: usize| qtype == Rtype::DS && self.zones[zone].depth() == name.label_count();
        if deepest.is_some_and(asks_parent) { above.or(deepest) } else { deepest }
    }

    /// The parent zone of the zone with this apex, if it is served and does not delegate the zone.
    /// Resolvers that ask the parent zone would never find the zone.
    pub fn parent_without_cut(&self, apex: &Name) -> Option<&Name> {
        let folded = Folded::new(apex.as_wire());
        let parent = self.find(&folded, Rtype::DS).filter(|parent| parent.apex() != apex)?;
        // A delegation above the apex leads to other servers. Only these know if it is complete.
        let is_delegated = matches!(parent.lookup(&folded, Rtype::NS), Lookup::Referral(_));
        (!is_delegated).then_some(parent.apex())
    }

    /// Names of the zones.
    pub fn apexes(&self) -> impl Iterator<Item = &Name> {
        self.zones.iter().map(Zone::apex)
    }
}
