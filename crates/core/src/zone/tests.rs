//! Tests of lookups, in one zone and over all zones.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::{Lookup, NoIncludes, Rtype, SharedName, SharedNameConflict, Zone, Zones, load};
use crate::diagnostic::{Diagnostics, Source};
use crate::name::{Folded, Name};

fn zone(apex: &str, records: &str) -> Zone {
    let text = format!("$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\n{records}");
    let mut diagnostics = Diagnostics::default();
    let zone =
        load(Source::from_text("z", text), Path::new("z"), &Name::parse(apex).unwrap(), &NoIncludes, &mut diagnostics);
    zone.unwrap_or_else(|| panic!("{diagnostics}"))
}

fn folded(name: &str) -> Folded {
    Folded::new(Name::parse(name).unwrap().as_wire())
}

/// The type of the RRset, or the name of the outcome.
fn outcome(lookup: &Lookup<'_>) -> String {
    match lookup {
        Lookup::Rrset(rrset) => rrset.rtype.to_string(),
        Lookup::Cname(_) => "alias".to_owned(),
        Lookup::SharedName(_) => "shared".to_owned(),
        Lookup::Dname(redirection) => format!("redirected at {} labels", redirection.labels),
        Lookup::Any => "any".to_owned(),
        Lookup::NoData => "nodata".to_owned(),
        Lookup::NxDomain => "nxdomain".to_owned(),
        Lookup::Referral(referral) => format!("referral at {} labels", referral.labels),
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
fn the_deepest_zone_answers_except_ds_at_its_apex() {
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
fn a_shared_name_answers_address_types_and_keeps_its_other_records() {
    let mut zone = zone("example", "core TXT t\nsub NS ns\nd DNAME core\n");
    let shared = SharedName { pool: 3, ttl: 5, answers: 8 };
    assert_eq!(zone.share(&Name::parse("core.example").unwrap(), shared), Ok(()));
    assert_eq!(zone.share(&Name::parse("*.pods.example").unwrap(), shared), Ok(()));
    assert_eq!(zone.share(&Name::parse("x.sub.example").unwrap(), shared), Err(SharedNameConflict::Delegated));
    for redirected in ["x.d.example", "d.example"] {
        let conflict = zone.share(&Name::parse(redirected).unwrap(), shared);
        assert_eq!(conflict, Err(SharedNameConflict::Redirected), "{redirected}");
    }
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

#[test]
fn a_dname_record_redirects_the_names_below_its_own() {
    let apex = zone("example", "@ DNAME elsewhere.\n@ MX 10 mail\n");
    let inner = zone("example", "d DNAME e\nd TXT t\nsub NS ns\nx.sub DNAME e\n*.w DNAME e\n");
    for (zone, name, qtype, expected) in [
        (&apex, "example", Rtype::MX, "MX"),
        (&apex, "example", Rtype::DNAME, "DNAME"),
        (&apex, "a.b.example", Rtype::MX, "redirected at 1 labels"),
        (&inner, "d.example", Rtype(16), "TXT"),
        (&inner, "d.example", Rtype::A, "nodata"),
        (&inner, "d.example", Rtype::ANY, "any"),
        (&inner, "a.b.d.example", Rtype::DNAME, "redirected at 2 labels"),
        (&inner, "a.x.sub.example", Rtype::A, "referral at 2 labels"),
        (&inner, "a.w.example", Rtype::DNAME, "DNAME"),
        (&inner, "a.w.example", Rtype::A, "nodata"),
        (&inner, "a.*.w.example", Rtype::A, "redirected at 3 labels"),
    ] {
        assert_eq!(outcome(&zone.lookup(&folded(name), qtype)), expected, "{name} {qtype}");
    }
}

/// The algorithm of RFC 1034 §4.3.2, RFC 4592 and RFC 6672, written step by step over a list of owner names.
///
/// Names are relative to the apex, the rightmost label first.
fn reference_outcome(owners: &BTreeMap<Vec<&str>, &str>, name: &[&str], qtype: &str) -> String {
    let exists = |name: &[&str]| name.is_empty() || owners.keys().any(|owner| owner.starts_with(name));
    for len in 1..=name.len() {
        let is_cut = owners.get(&name[..len]).is_some_and(|&rtype| rtype == "NS");
        if is_cut && !(len == name.len() && qtype == "DS") {
            return format!("referral at {} labels", len + 1);
        }
        if len < name.len() && owners.get(&name[..len]).is_some_and(|&rtype| rtype == "DNAME") {
            return format!("redirected at {} labels", len + 1);
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
    fn lookups_follow_rfc_1034_rfc_4592_and_rfc_6672(
        owners in prop::collection::btree_map(relative_name(), prop::sample::select(vec!["A", "CNAME", "TXT", "NS", "DNAME"]), 0..8),
        name in relative_name(),
        qtype in prop::sample::select(vec!["A", "CNAME", "TXT", "NS", "DS", "DNAME"]),
    ) {
        let owners: BTreeMap<Vec<&str>, &str> =
            owners.into_iter().filter(|(owner, rtype)| !(owner.last() == Some(&"*") && *rtype == "NS")).collect();
        // A zone file has no records below a DNAME record, unless a delegation hides it.
        let of_type = |name: &[&str], rtype: &str| owners.get(name).is_some_and(|&found| found == rtype);
        let is_hidden = |name: &[&str]| (1..=name.len()).any(|len| of_type(&name[..len], "NS"));
        let is_redirected = |name: &[&str]| {
            (1..name.len()).any(|len| of_type(&name[..len], "DNAME") && !is_hidden(&name[..len]))
        };
        let owners: BTreeMap<Vec<&str>, &str> =
            owners.iter().filter(|(owner, _)| !is_redirected(owner)).map(|(owner, rtype)| (owner.clone(), *rtype)).collect();
        let presentation = |labels: &[&str]| labels.iter().rev().copied().collect::<Vec<_>>().join(".");
        let data = |rtype: &str| if rtype == "A" { "192.0.2.1" } else { "x" };
        let records: String =
            owners.iter().map(|(owner, rtype)| format!("{} {rtype} {}\n", presentation(owner), data(rtype))).collect();
        let zone = zone("example", &records);
        let rtype = Rtype::from_mnemonic(qtype).unwrap();
        let lookup = zone.lookup(&folded(&format!("{}.example", presentation(&name))), rtype);
        prop_assert_eq!(outcome(&lookup), reference_outcome(&owners, &name, qtype));
    }
}

#[test]
fn of_records_that_differ_in_the_case_of_a_name_the_first_is_kept() {
    let zone = zone("example", "mx MX 10 Mail\nmx MX 10 mail\nmx MX 10 a\nlp LP 10 Mail\nlp LP 10 mail\n");
    let rdatas = |name, rtype| match zone.lookup(&folded(name), rtype) {
        Lookup::Rrset(rrset) => {
            rrset.rdatas.into_iter().map(|rdata| String::from_utf8_lossy(rdata).into_owned()).collect()
        }
        _ => Vec::new(),
    };
    assert_eq!(rdatas("mx.example", Rtype::MX), ["\0\n\u{1}a\u{7}example\0", "\0\n\u{4}Mail\u{7}example\0"]);
    assert_eq!(rdatas("lp.example", Rtype(107)).len(), 2);
}
