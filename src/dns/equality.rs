//! The law of the fast path: the bytes that it writes are those of [`Responder::respond_generally`], from the same draw, and
//! it counts the same.
//! `fuzz/equality.rs` holds it to that for as long as one likes.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::respond::{Responder, Transport};
use super::totals::{Protocol, Tallies};
use crate::diagnostic::{Diagnostics, Source};
use crate::health::{Health, Standing};
use crate::name::Name;
use crate::pool::{Node, Pool, Role, WhenEmpty, decide};
use crate::serving::{Serving, Static};
use crate::zone::{SharedName, Zones, load};

const ZONE: &str = "
$TTL 300
@     SOA a.name.server.elsewhere. hostmaster 1 3600 900 604800 5
@     NS  ns1
ns1   A   192.0.2.1
core  TXT beside
scan  CNAME core
sub   NS  ns1
";

/// Names that are asked for: shared ones, what lies below a shared wildcard, and others.
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

const SHARED: [&str; 4] = ["core.lb.example", "lb.example", "very.deep.below.core.lb.example", "*.wild.lb.example"];

/// A pool of nodes that have an address of either family, or of both, or several.
fn pool(kinds: &[(u8, u32, bool)], when_empty: WhenEmpty) -> (Pool, Vec<Standing>) {
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
    let pool = Pool { when_empty, ..Pool::of("core", nodes.collect()) };
    let health = |(node, _): (usize, _)| if kinds[node].2 { Health::Up } else { Health::Down };
    let standings = pool.slots().map(|slot| Standing::from(health(slot))).collect();
    (pool, standings)
}

fn serving(kinds: &[(u8, u32, bool)], when_empty: WhenEmpty, answers: usize, ttl: u32) -> (Serving, Tallies) {
    let mut diagnostics = Diagnostics::default();
    let apex = Name::parse("lb.example").unwrap();
    let mut zone = load(Source::from_text("z", ZONE), Path::new("z"), &apex, &mut diagnostics).unwrap();
    for name in SHARED {
        zone.share(&Name::parse(name).unwrap(), SharedName { pool: 0, ttl, answers }).unwrap();
    }
    let (pool, standings) = pool(kinds, when_empty);
    let view = decide(&pool, &standings, &pool.as_configured(), &mut fastrand::Rng::with_seed(1)).view;
    let tallies = Tallies::default();
    let numbers = tallies.number(std::slice::from_ref(&pool));
    let fixed = Arc::new(Static::new(Zones::new(vec![zone]), Some(Box::from(*b"ns-a")), numbers));
    (Serving { generation: 1, fixed, pools: vec![Arc::new(view)] }, tallies)
}

fn snapshots() -> impl Strategy<Value = (Serving, Tallies)> {
    let kinds = prop::collection::vec((any::<u8>(), 1..5_u32, prop::bool::weighted(0.8)), 1..80);
    let equal = prop::bool::ANY;
    let when_empty = prop::sample::select(vec![WhenEmpty::All, WhenEmpty::ServFail, WhenEmpty::NoData]);
    (kinds, equal, when_empty, 1..100_usize, 0..100_000_u32).prop_map(|(mut kinds, equal, when_empty, answers, ttl)| {
        if equal {
            kinds.iter_mut().for_each(|(_, weight, _)| *weight = 1);
        }
        serving(&kinds, when_empty, answers, ttl)
    })
}

/// A question, its letters in any case, with what EDNS may bring.
fn packets() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(NAMES.to_vec());
    let qtype = prop_oneof![4 => Just(1_u16), 4 => Just(28), 1 => any::<u16>()];
    let options = prop::sample::select(vec![
        &[][..],
        &[0, 3, 0, 0],
        &[0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2],
        &[0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 3, 0, 0],
        &[0, 8, 0, 4, 0, 1, 24, 0],
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

type Respond = fn(&mut Responder, &[u8], Transport, &Serving, &mut Vec<u8>) -> bool;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn both_paths_write_the_same_bytes_and_count_the_same(
        (serving, tallies) in snapshots(),
        packets in prop::collection::vec(packets(), 1..20),
        seed: u64,
    ) {
        let mut responder = Responder::new(tallies.begin(Protocol::Udp));
        let mut all = |respond: Respond| -> Vec<_> {
            let both = packets.iter().flat_map(|packet| [(packet, Transport::Udp), (packet, Transport::Stream)]);
            both.map(|(packet, transport)| {
                responder.reseed(seed);
                let mut out = Vec::new();
                (respond(&mut responder, packet, transport, &serving, &mut out), out)
            })
            .collect()
        };
        let fast = all(Responder::respond);
        let counted = tallies.read();
        let general = all(Responder::respond_generally);
        prop_assert_eq!(fast, general, "{:?}", packets);
        let counted_twice = tallies.read();
        let twice = counted.records.into_iter().map(|(node, records)| (node, 2 * records)).collect();
        prop_assert_eq!(counted_twice.records, twice);
        let [mut once, twice] = [counted.answers, counted_twice.answers].map(|mut a| a.remove(&Protocol::Udp).unwrap());
        once.rcodes.values_mut().for_each(|responses| *responses *= 2);
        prop_assert_eq!(once.rcodes, twice.rcodes);
        prop_assert_eq!((2 * once.ignored, 2 * once.truncated), (twice.ignored, twice.truncated));
    }
}

#[test]
fn the_fast_path_takes_what_nearly_everybody_asks() {
    use super::query::{Received, parse};
    let (serving, _) = serving(&[(0, 1, true), (0, 1, true)], WhenEmpty::All, 8, 5);
    let takes = |name: &str, qtype: u16| {
        let packet = super::tests::query(name, qtype, Some(1232));
        let Received::Query(query) = parse(&packet) else { panic!("a question") };
        super::fast::respond(&query, 1232, &serving, &mut super::tests::responder(), &mut Vec::new())
    };
    assert!(takes("core.lb.example", 1) && takes("CORE.lb.Example", 28), "addresses, or that there are none");
    assert!(!takes("core.lb.example", 16) && !takes("any.wild.lb.example", 1) && !takes("scan.lb.example", 1));
}
