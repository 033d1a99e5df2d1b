//! Any bytes as a zone file, with and without files to include.
//!
//! Every error names a place inside its file. A zone that loads answers queries for the names that
//! its file mentions, and the owner of a record exists if there are no warnings.
#![no_main]

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use evenkeel_core::counters::{Counters, NodeNumbers};
use evenkeel_core::diagnostic::{Diagnostics, Source};
use evenkeel_core::name::{Folded, Name, parse_wire};
use evenkeel_core::respond::Transport;
use evenkeel_core::snapshot::{Snapshot, SnapshotConfig};
use evenkeel_core::zone::{Lookup, NoIncludes, ReadIncluded, Rtype, Zone, Zones, load};
use evenkeel_fuzz::{Pair, STREAM, check_place, check_response, question};
use libfuzzer_sys::fuzz_target;

/// Path of the input.
const ROOT: &str = "root.zone";

/// The files that the input can include.
const INCLUDED: [(&str, &str); 4] = [
    ("soa.zone", "$TTL 300\n@ SOA ns1 hostmaster 1 3600 900 604800 5\n@ NS ns1\nns1 A 192.0.2.1\n"),
    ("nested.zone", "$ORIGIN nested\n$INCLUDE a.zone\n$INCLUDE a.zone deeper\nb A 192.0.2.2\n"),
    ("a.zone", "a A 192.0.2.3\n  TXT \"x\"\n"),
    ("broken.zone", "a A 192.0.2.3\nb A\n$TTL x\nc TXT \"open\n"),
];

/// Queried types, in addition to those of the file: A, NS, CNAME, SOA, MX, TXT, AAAA, DS, HTTPS,
/// ANY, CAA.
const QTYPES: [u16; 11] = [1, 2, 5, 6, 15, 16, 28, 43, 65, 255, 257];

/// Most names of a file that are queried.
const MAX_NAMES: usize = 24;

/// The input and [`INCLUDED`], as a file system.
struct Files<'t>(&'t [u8]);

impl Files<'_> {
    fn text(&self, path: &str) -> Option<Vec<u8>> {
        let included = INCLUDED.iter().find(|(name, _)| *name == path).map(|(_, text)| text.as_bytes());
        included.or((path == ROOT).then_some(self.0)).map(<[u8]>::to_vec)
    }
}

impl ReadIncluded for Files<'_> {
    fn read(&self, path: &Path) -> io::Result<Source> {
        let path = path.to_str().ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Source::from_text(path, self.text(path).ok_or(io::ErrorKind::NotFound)?))
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }
}

/// Loads the input, and checks what is said of it. Returns the zone, and if there are no warnings.
fn load_checked(text: &[u8], apex: &Name, files: &dyn ReadIncluded) -> Option<(Zone, bool)> {
    let mut diagnostics = Diagnostics::default();
    let source = Source::from_text(ROOT, text);
    let zone = load(source, Path::new(ROOT), apex, files, &mut diagnostics);
    assert_eq!(zone.is_none(), diagnostics.has_errors(), "{diagnostics}");
    diagnostics.iter().for_each(|diagnostic| check_place(diagnostic, |path| Files(text).text(path)));
    zone.map(|zone| (zone, diagnostics.iter().next().is_none()))
}

/// The words of a file that are names, below the apex unless they are absolute.
fn names(text: &[u8], apex: &Name) -> BTreeSet<Vec<u8>> {
    let words = text.split(|byte| byte.is_ascii_whitespace() || b"()\";".contains(byte));
    let names = words.filter_map(|word| parse_wire(word, Some(apex.as_wire())).ok());
    let own = names.filter(|name| Name::from_wire(name).is_at_or_below(apex));
    own.take(MAX_NAMES).chain([apex.as_wire().to_vec()]).collect()
}

/// The owners of the records, if the file is so simple that they are the first words of its lines.
fn owners(text: &[u8], apex: &Name) -> Vec<Name> {
    let is_simple = text.iter().all(|byte| byte.is_ascii_graphic() || b" \n".contains(byte));
    if !is_simple || text.iter().any(|byte| b"$\\\"()".contains(byte)) {
        return Vec::new();
    }
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.starts_with(b" "));
    let first_words = lines.filter_map(|line| line.split(|byte| b" ;".contains(byte)).next());
    let owners = first_words.filter_map(|word| parse_wire(word, Some(apex.as_wire())).ok());
    owners.map(|wire| Name::from_wire(&wire)).collect()
}

/// Checks that a name with records is found.
fn check_owner(zone: &Zone, owner: &Name) {
    let folded = Folded::new(owner.as_wire());
    for qtype in QTYPES.map(Rtype) {
        let found = zone.lookup(&folded, qtype);
        assert!(!matches!(found, Lookup::NxDomain), "{owner} has records");
        assert!(qtype != Rtype::ANY || !matches!(found, Lookup::NoData), "{owner} has records");
    }
}

/// Checks the responses of a server with this zone only.
fn check_responses(zone: Zone, names: &BTreeSet<Vec<u8>>) {
    let config = SnapshotConfig::new(Zones::new(vec![zone]), None, NodeNumbers::default());
    let snapshot = Snapshot { generation: 1, config: Arc::new(config), pools: Vec::new() };
    let mut pair = Pair::new([Counters::default(), Counters::default()]);
    for name in names {
        for qtype in QTYPES {
            let packet = question(name, qtype, qtype % 2 == 0);
            for transport in [Transport::Udp, STREAM] {
                let response = pair.respond(&packet, transport, &snapshot, 7);
                let response = response.unwrap_or_else(|difference| panic!("{difference}"));
                let message = check_response(&packet, transport, &response.expect("a query gets a response"));
                assert!(message.metadata.authoritative || !message.authorities.is_empty(), "{message}");
            }
        }
    }
}

fuzz_target!(|text: &[u8]| {
    let apex = Name::parse("lb.example").expect("a valid name");
    let alone = load_checked(text, &apex, &NoIncludes);
    let with_includes = load_checked(text, &apex, &Files(text));
    assert!(alone.is_none() || with_includes.is_some(), "a file without includes loads either way");
    if let Some((zone, is_complete)) = with_includes {
        // Warnings can be about records that are left out.
        if is_complete {
            owners(text, &apex).iter().for_each(|owner| check_owner(&zone, owner));
        }
        check_responses(zone, &names(text, &apex));
    }
});
