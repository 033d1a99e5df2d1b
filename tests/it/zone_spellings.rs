//! Records beside those that BIND makes of the same zone file, byte by byte. `spellings.zone` has
//! every type, in every way to write it that both programs accept.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use evenkeel_core::diagnostic::{Diagnostics, Source};
use evenkeel_core::name::{Folded, Name};
use evenkeel_core::zone::{Lookup, NoIncludes, Rtype, load};

use crate::support::program::required;

const APEX: &str = "spell.test";
const FILE: &str = "tests/it/zones/spellings.zone";

/// The TTL and the sorted rdata of each RRset.
type Rrsets = BTreeMap<(String, u16), (u32, Vec<Vec<u8>>)>;

/// Takes the first `N` bytes off `bytes`.
fn take<'b>(bytes: &mut &'b [u8], len: usize) -> &'b [u8] {
    let (head, tail) = bytes.split_at(len);
    *bytes = tail;
    head
}

/// Takes a big-endian number of `len` bytes off `bytes`.
fn number(bytes: &mut &[u8], len: usize) -> usize {
    take(bytes, len).iter().fold(0, |number, &byte| number << 8 | usize::from(byte))
}

/// The RRsets of a zone in the raw format of BIND, version 1: a header of 24 bytes; per RRset its
/// length, class, type, covered type, TTL, number of records, owner and records.
fn raw_rrsets(mut raw: &[u8]) -> Rrsets {
    take(&mut raw, 24);
    let mut rrsets = Rrsets::new();
    while !raw.is_empty() {
        let (_, _, rtype, _) = (number(&mut raw, 4), number(&mut raw, 2), number(&mut raw, 2), number(&mut raw, 2));
        let (ttl, count, owner_len) = (number(&mut raw, 4), number(&mut raw, 4), number(&mut raw, 2));
        let owner = Name::from_wire(take(&mut raw, owner_len)).to_string();
        let mut rdatas: Vec<Vec<u8>> = (0..count)
            .map(|_| {
                let len = number(&mut raw, 2);
                take(&mut raw, len).to_vec()
            })
            .collect();
        rdatas.sort();
        rrsets.insert((owner, rtype as u16), (ttl as u32, rdatas));
    }
    rrsets
}

#[test]
fn records_have_the_bytes_that_bind_makes_of_the_same_file() {
    let directory = tempfile::tempdir().expect("the test can create a directory");
    let raw = directory.path().join("raw");
    let mut command = Command::new(required("named-compilezone", "bind9-utils"));
    command.args(["-i", "none", "-k", "ignore", "-M", "ignore", "-S", "ignore", "-r", "ignore", "-F", "raw"]);
    let output = command.arg("-o").arg(&raw).args([APEX, FILE]).output().expect("named-compilezone starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs = raw_rrsets(&std::fs::read(&raw).expect("named-compilezone wrote the zone"));
    assert!(theirs.len() > 150, "{} RRsets", theirs.len());

    let mut diagnostics = Diagnostics::default();
    let text = std::fs::read(FILE).expect("the file can be read");
    let apex = Name::parse(APEX).expect("a valid name");
    let zone = load(Source::from_text(FILE, text), Path::new(FILE), &apex, &NoIncludes, &mut diagnostics);
    let zone = zone.unwrap_or_else(|| panic!("{diagnostics}"));
    for ((owner, rtype), theirs) in &theirs {
        let folded = Folded::new(Name::parse(owner).expect("a valid name").as_wire());
        let found = zone.lookup(&folded, Rtype(*rtype));
        let (Lookup::Rrset(rrset) | Lookup::Cname(rrset)) = found else {
            panic!("{owner} {}: {found:?}", Rtype(*rtype))
        };
        let mut rdatas: Vec<Vec<u8>> = rrset.rdatas.into_iter().map(<[u8]>::to_vec).collect();
        rdatas.sort();
        assert_eq!((rrset.ttl, &rdatas), (theirs.0, &theirs.1), "{owner} {}", Rtype(*rtype));
    }
}
