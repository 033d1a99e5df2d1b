//! The law of the fast path: it writes the same bytes as [`Responder::respond_by_slow_path`] from
//! the same draw, and counts the same. A fuzz target in `fuzz/` tests the law for longer.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::tests::STREAM;
use super::transport::Bounds;
use super::worker_state::WorkerState;
use super::{Responder, Transport, fast_path};
use crate::counters::{Counters, Protocol};
use crate::diagnostic::{Diagnostics, Source};
use crate::health::Health;
use crate::message::{Received, ResponseOptions, parse};
use crate::name::Name;
use crate::pool::{Node, Pool, Role, WhenEmpty, decide};
use crate::snapshot::{Snapshot, SnapshotConfig};
use crate::zone::{NoIncludes, SharedName, Zones, load};

const ZONE: &str = "
$TTL 300
@     SOA a.name.server.elsewhere. hostmaster 1 3600 900 604800 5
@     NS  ns1
ns1   A   192.0.2.1
core  TXT beside
scan  CNAME core
sub   NS  ns1
";

/// The names of the questions: shared names, names below a shared wildcard, and others.
const NAMES: [&str; 8] = [
    "core.lb.example",
    "lb.example",
    "very.deep.below.core.lb.example",
    "any.wild.lb.example",
    "scan.lb.example",
    "ns1.lb.example",
    "core.sub.lb.example",
    "nothing.lb.example",
];

/// Shared names of the zone.
const SHARED: [&str; 4] = ["core.lb.example", "lb.example", "very.deep.below.core.lb.example", "*.wild.lb.example"];

/// A pool. The first number of each node selects its addresses: of one family, of both, or several.
fn pool(kinds: &[(u8, u32, bool)], when_empty: WhenEmpty) -> Pool {
    let v4 = |i: usize, j: usize| [10, j as u8, 0, i as u8].into();
    let v6 = |i: usize, j: usize| [0x2001, 0xdb8, 0, 0, 0, 0, j as u16, i as u16].into();
    let nodes = kinds.iter().enumerate().map(|(i, &(kind, weight, _))| Node {
        name: format!("n{i}").into(),
        addresses: match kind % 5 {
            0 => vec![v4(i, 0)],
            1 => vec![v6(i, 0)],
            2 => vec![v4(i, 0), v6(i, 0)],
            3 => vec![v4(i, 0), v4(i, 1), v4(i, 2)],
            _ => vec![v4(i, 0), v6(i, 0), v6(i, 1)],
        },
        weight,
        role: Role::Active,
    });
    Pool { when_empty, ..Pool::with_defaults("core", nodes.collect()) }
}

fn snapshot(kinds: &[(u8, u32, bool)], when_empty: WhenEmpty, answers: usize, ttl: u32) -> (Snapshot, Counters) {
    let mut diagnostics = Diagnostics::default();
    let apex = Name::parse("lb.example").unwrap();
    let mut zone = load(Source::from_text("z", ZONE), Path::new("z"), &apex, &NoIncludes, &mut diagnostics).unwrap();
    for name in SHARED {
        zone.share(&Name::parse(name).unwrap(), SharedName { pool: 0, ttl, answers }).unwrap();
    }
    let pool = pool(kinds, when_empty);
    let is_up = |node: &Node| pool.nodes.iter().zip(kinds).any(|(found, kind)| found.name == node.name && kind.2);
    let mut nodes = pool.undecided(|node, _| if is_up(node) { Health::Up } else { Health::Down }.into());
    let view = decide(&pool, &mut nodes, &mut fastrand::Rng::with_seed(1)).view;
    let counters = Counters::default();
    let numbers = counters.node_numbers(std::slice::from_ref(&pool));
    let config = Arc::new(SnapshotConfig::new(Zones::new(vec![zone]), Some(Box::from(*b"ns-a")), numbers));
    (Snapshot { generation: 1, config, pools: vec![Arc::new(view)] }, counters)
}

fn snapshots() -> impl Strategy<Value = (Snapshot, Counters)> {
    let kinds = prop::collection::vec((any::<u8>(), 1..5_u32, prop::bool::weighted(0.8)), 1..80);
    let equal = prop::bool::ANY;
    let when_empty = prop::sample::select(vec![WhenEmpty::All, WhenEmpty::ServFail, WhenEmpty::NoData]);
    (kinds, equal, when_empty, 1..100_usize, 0..100_000_u32).prop_map(|(mut kinds, equal, when_empty, answers, ttl)| {
        if equal {
            kinds.iter_mut().for_each(|(_, weight, _)| *weight = 1);
        }
        snapshot(&kinds, when_empty, answers, ttl)
    })
}

/// A query with letters in any case, with or without EDNS and its options, and at times malformed.
fn packets() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(NAMES.to_vec());
    let qtype = prop_oneof![4 => Just(1_u16), 4 => Just(28), 1 => any::<u16>()];
    let options = prop::sample::select(vec![
        &[][..],
        &[0, 3, 0, 0],
        &[0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2],
        &[0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 3, 0, 0],
        &[0, 8, 0, 4, 0, 1, 24, 0],
        &[0, 12, 0, 2, 0, 0, 0, 11, 0, 0],
    ]);
    let edns = prop::option::of((any::<u16>(), any::<bool>(), options));
    let mutation = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (name, any::<u64>(), any::<(u16, u16)>(), qtype, edns, mutation, prop::bool::weighted(0.2)).prop_map(
        |(name, cases, (id, flags), qtype, edns, mutation, is_mutated)| {
            let mut packet = [id.to_be_bytes(), (flags & 0x07ff).to_be_bytes()].concat();
            packet.extend([0, 1, 0, 0, 0, 0, 0, u8::from(edns.is_some())]);
            for label in name.split('.') {
                packet.push(label.len() as u8);
                let letter =
                    |(i, byte): (usize, u8)| if cases >> (i % 64) & 1 == 1 { byte.to_ascii_uppercase() } else { byte };
                packet.extend(label.bytes().enumerate().map(letter));
            }
            packet.push(0);
            packet.extend([qtype.to_be_bytes(), [0, 1]].concat());
            if let Some((size, dnssec_ok, options)) = edns {
                packet.extend([0, 0, 41]);
                packet.extend(size.to_be_bytes());
                packet.extend([0, 0, u8::from(dnssec_ok) << 7, 0, 0, options.len() as u8]);
                packet.extend(options);
            }
            for (at, byte) in mutation.into_iter().filter(|_| is_mutated) {
                let at = at.index(packet.len());
                packet[at] = byte;
            }
            packet
        },
    )
}

/// One of the two functions that must be equal.
type Respond = fn(&mut Responder, &[u8], Transport, &Snapshot, &mut Vec<u8>) -> bool;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn both_paths_write_the_same_bytes_and_count_the_same(
        (snapshot, counters) in snapshots(),
        packets in prop::collection::vec(packets(), 1..20),
        seed: u64,
    ) {
        let mut responder = Responder::new(counters.worker(Protocol::Udp));
        let mut all = |respond: Respond| -> Vec<_> {
            let transports = [Transport::Udp, STREAM, Transport::HttpsOrQuic];
            let each = packets.iter().flat_map(|packet| transports.map(|transport| (packet, transport)));
            each.map(|(packet, transport)| {
                responder.reseed(seed);
                let mut out = Vec::new();
                (respond(&mut responder, packet, transport, &snapshot, &mut out), out)
            })
            .collect()
        };
        let fast = all(Responder::respond);
        let counted = counters.totals();
        let slow = all(Responder::respond_by_slow_path);
        prop_assert_eq!(fast, slow, "{:?}", packets);
        let counted_twice = counters.totals();
        let twice = counted.records.into_iter().map(|(node, records)| (node, 2 * records)).collect();
        prop_assert_eq!(counted_twice.records, twice);
        let [mut once, twice] = [counted.responses, counted_twice.responses].map(|mut a| a.remove(&Protocol::Udp).unwrap());
        once.rcodes.values_mut().for_each(|responses| *responses *= 2);
        prop_assert_eq!(once.rcodes, twice.rcodes);
        prop_assert_eq!((2 * once.ignored, 2 * once.truncated), (twice.ignored, twice.truncated));
    }
}

#[test]
fn the_fast_path_answers_only_addresses_of_shared_names() {
    let (snapshot, counters) = snapshot(&[(0, 1, true), (0, 1, true)], WhenEmpty::All, 8, 5);
    let mut worker = WorkerState { rng: fastrand::Rng::new(), counters: counters.worker(Protocol::Udp) };
    let mut answers = |name: &str, qtype: u16| {
        let packet = super::tests::query(name, qtype, Some(1232));
        let Received::Query(query) = parse(&packet) else { panic!("the packet is a query") };
        let bounds = Bounds { limit: 1232, options: ResponseOptions::default() };
        fast_path::respond(&mut worker, &query, &bounds, &snapshot, &mut Vec::new())
    };
    assert!(answers("core.lb.example", 1) && answers("CORE.lb.Example", 28), "addresses, or NODATA");
    assert!(!answers("core.lb.example", 16), "other types");
    assert!(!answers("any.wild.lb.example", 1) && !answers("scan.lb.example", 1), "wildcards and aliases");
}
