//! What the zones have for a name and a type: the algorithm of RFC 1034 §4.3.2 with the wildcards of RFC 4592.

use super::tree::{NameTree, TreeIndex};
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

    fn at_owner(&self, node: TreeIndex, qtype: Rtype) -> Found<'_> {
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

    /// All names that are tied to pools, with their zones.
    pub fn shared_names(&self) -> impl Iterator<Item = (&Zone, &Name, SharedName)> {
        self.zones.iter().flat_map(|zone| zone.shared.iter().map(move |(name, shared)| (zone, name, *shared)))
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

    /// The zone above the zone of this name, when it does not delegate it: resolvers that ask above would never come here.
    pub fn parent_without_cut(&self, apex: &Name) -> Option<&Name> {
        let folded = Folded::new(apex.as_wire());
        let parent = self.find(&folded, Rtype::DS).filter(|parent| parent.apex != *apex)?;
        // A delegation above it leads elsewhere, and whether that is right is not to be seen from here.
        let delegated = matches!(parent.lookup(&folded, Rtype::NS), Found::Referral(_));
        (!delegated).then_some(&parent.apex)
    }

    /// Names of the zones.
    pub fn apexes(&self) -> impl Iterator<Item = &Name> {
        self.zones.iter().map(|zone| &zone.apex)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::diagnostic::{Diagnostics, Source};
    use crate::zone::{NoIncludes, load};

    fn zone(apex: &str, records: &str) -> Zone {
        let text = format!("$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\n{records}");
        let mut diagnostics = Diagnostics::default();
        let zone = load(
            Source::from_text("z", text),
            Path::new("z"),
            &Name::parse(apex).unwrap(),
            &NoIncludes,
            &mut diagnostics,
        );
        zone.unwrap_or_else(|| panic!("{diagnostics}"))
    }

    fn folded(name: &str) -> Folded {
        Folded::new(Name::parse(name).unwrap().as_wire())
    }

    /// What was found, in a word: the type of the RRset, or the outcome.
    fn outcome(found: &Found<'_>) -> String {
        match found {
            Found::Rrset(rrset) => rrset.rtype.to_string(),
            Found::Cname(_) => "alias".to_owned(),
            Found::Shared(_) => "shared".to_owned(),
            Found::Any => "any".to_owned(),
            Found::NoData => "nodata".to_owned(),
            Found::NxDomain => "nxdomain".to_owned(),
            Found::Referral(referral) => format!("referral at {} labels", referral.labels),
        }
    }

    #[test]
    fn wildcards_follow_the_closest_encloser() {
        // The example of RFC 4592 §2.2.1.
        let zone = zone(
            "example",
            "*.example. TXT w\n*.example. MX 10 host1\nsub.*.example. TXT s\nhost1 A 192.0.2.1\n\
             _ssh._tcp.host1 SRV 0 0 22 host1\nsubdel NS ns.example.com.\n",
        );
        for (name, qtype, expected) in [
            ("host3.example", Rtype::MX, "MX"),
            ("host3.example", Rtype::A, "nodata"),
            ("foo.bar.example", Rtype(16), "TXT"),
            ("host1.example", Rtype::MX, "nodata"),
            ("sub.*.example", Rtype::MX, "nodata"),
            ("_telnet._tcp.host1.example", Rtype(33), "nxdomain"),
            ("host.subdel.example", Rtype::A, "referral at 2 labels"),
            ("ghost.*.example", Rtype::MX, "nxdomain"),
            ("*.example", Rtype(16), "TXT"),
            ("_tcp.host1.example", Rtype::A, "nodata"),
        ] {
            assert_eq!(outcome(&zone.lookup(&folded(name), qtype)), expected, "{name} {qtype}");
        }
    }

    #[test]
    fn the_deepest_zone_answers_but_for_ds_at_its_apex() {
        let zones = Zones::new(vec![zone("example", ""), zone("b.a.example", "")]);
        let apex = |name: &str, qtype| zones.find(&folded(name), qtype).map(|zone| zone.apex().to_string());
        assert_eq!(apex("x.b.a.example", Rtype::A).as_deref(), Some("b.a.example"));
        assert_eq!(apex("b.a.example", Rtype::A).as_deref(), Some("b.a.example"));
        assert_eq!(apex("b.a.example", Rtype::DS).as_deref(), Some("example"));
        assert_eq!(apex("a.example", Rtype::A).as_deref(), Some("example"));
        assert_eq!(apex("example", Rtype::DS).as_deref(), Some("example"));
        assert_eq!(apex("example2", Rtype::A), None);
        assert_eq!(apex(".", Rtype::A), None);
    }

    #[test]
    fn a_shared_name_answers_addresses_and_leaves_other_types() {
        let mut zone = zone("example", "core TXT t\nsub NS ns\n");
        let shared = SharedName { pool: 3, ttl: 5, answers: 8 };
        assert_eq!(zone.share(&Name::parse("core.example").unwrap(), shared), Ok(()));
        assert_eq!(zone.share(&Name::parse("*.pods.example").unwrap(), shared), Ok(()));
        assert_eq!(zone.share(&Name::parse("x.sub.example").unwrap(), shared), Err(crate::zone::Misplaced::Delegated));
        for (name, qtype, expected) in [
            ("core.example", Rtype::A, "shared"),
            ("core.example", Rtype::AAAA, "shared"),
            ("core.example", Rtype(16), "TXT"),
            ("core.example", Rtype::ANY, "any"),
            ("core.example", Rtype::MX, "nodata"),
            ("a.b.pods.example", Rtype::A, "shared"),
            ("pods.example", Rtype::A, "nodata"),
        ] {
            assert_eq!(outcome(&zone.lookup(&folded(name), qtype)), expected, "{name} {qtype}");
        }
    }

    /// RFC 1034 §4.3.2 and RFC 4592, word by word on a list of names relative to the apex, rightmost label first.
    fn by_the_book(owners: &BTreeMap<Vec<&str>, &str>, name: &[&str], qtype: &str) -> String {
        let exists = |name: &[&str]| name.is_empty() || owners.keys().any(|owner| owner.starts_with(name));
        for len in 1..=name.len() {
            let is_cut = owners.get(&name[..len]).is_some_and(|&rtype| rtype == "NS");
            if is_cut && !(len == name.len() && qtype == "DS") {
                return format!("referral at {} labels", len + 1);
            }
        }
        let at = |owner: &[&str]| match owners.get(owner) {
            Some(&rtype) if rtype == qtype => rtype.to_owned(),
            Some(&"CNAME") => "alias".to_owned(),
            _ => "nodata".to_owned(),
        };
        if exists(name) {
            return at(name);
        }
        let encloser = (0..name.len()).rev().map(|len| &name[..len]).find(|ancestor| exists(ancestor)).unwrap();
        let wildcard = [encloser, &["*"]].concat();
        if exists(&wildcard) { at(&wildcard) } else { "nxdomain".to_owned() }
    }

    fn relative_name() -> impl Strategy<Value = Vec<&'static str>> {
        prop::collection::vec(prop::sample::select(vec!["a", "b", "*"]), 1..4)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn lookups_go_by_the_book(
            owners in prop::collection::btree_map(relative_name(), prop::sample::select(vec!["A", "CNAME", "TXT", "NS"]), 0..8),
            name in relative_name(),
            qtype in prop::sample::select(vec!["A", "CNAME", "TXT", "NS", "DS"]),
        ) {
            let owners: BTreeMap<Vec<&str>, &str> =
                owners.into_iter().filter(|(owner, rtype)| !(owner.last() == Some(&"*") && *rtype == "NS")).collect();
            let written = |labels: &[&str]| labels.iter().rev().copied().collect::<Vec<_>>().join(".");
            let data = |rtype: &str| if rtype == "A" { "192.0.2.1" } else { "x" };
            let records: String =
                owners.iter().map(|(owner, rtype)| format!("{} {rtype} {}\n", written(owner), data(rtype))).collect();
            let zone = zone("example", &records);
            let number = Rtype::parse(qtype).unwrap().unwrap();
            let found = zone.lookup(&folded(&format!("{}.example", written(&name))), number);
            prop_assert_eq!(outcome(&found), by_the_book(&owners, &name, qtype));
        }
    }
}
