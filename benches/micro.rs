//! Costs of the parts of the fast path and the slow path, without sockets.
//!
//! ```sh
//! cargo bench --bench micro            # all benchmarks
//! cargo bench --bench micro -- respond # benchmarks with this word in their names
//! ```
//!
//! - `respond` is a whole query: `parse`, then the fast path, or `lookup` and `encode`.
//! - `decide` is the cost of a transition for the publisher, in the pool of the node.
//! - `flip` is `decide` and the next snapshot.

use std::hint::black_box;
use std::sync::Arc;

use arc_swap::ArcSwap;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use evenkeel::config::{self, LoadedConfig, Origin};
use evenkeel_core::counters::{Counters, Protocol};
use evenkeel_core::health::Health;
use evenkeel_core::message::{Query, Received, ResponseOptions, encode, parse};
use evenkeel_core::name::{Folded, parse_wire};
use evenkeel_core::pool::{Decision, Pool, PoolView, decide};
use evenkeel_core::respond::{Responder, SynthesizedNames, Transport, answer};
use evenkeel_core::snapshot::Snapshot;
use evenkeel_core::zone::Rtype;
use fastrand::Rng;

const ZONE: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 3600 900 604800 5\n@ NS ns1\n@ NS ns2\nns1 A 192.0.2.1\nns2 A 192.0.2.2\n\
    www A 192.0.2.3\nsub NS ns.sub\nns.sub A 192.0.2.4\n";

/// A configuration with `pools` pools of `nodes` nodes each, and `names` shared names over them:
/// `n0.lb.example` and so on. `weight` gives the weight of a node by its index.
fn configuration(pools: usize, nodes: usize, names: usize, weight: impl Fn(usize) -> usize) -> LoadedConfig {
    let address =
        |pool: usize, node: usize| format!("10.{}.{}.{}", pool % 200 + node / 60_000, node / 250 % 250, node % 250);
    let node = |pool: usize, node: usize| {
        format!("{{name=\"n{node}\",address=\"{}\",weight={}}},", address(pool, node), weight(node))
    };
    let pool = |pool: usize| {
        let nodes: String = (0..nodes).map(|i| node(pool, i)).collect();
        format!("[pools.p{pool}]\nnodes=[{nodes}]\n")
    };
    let name = |name: usize| format!("[names.\"n{name}.lb.example\"]\npool=\"p{}\"\n", name % pools);
    let text = ["[zones.\"lb.example\"]\nfile=\"lb.zone\"\n".to_owned()]
        .into_iter()
        .chain((0..pools).map(pool))
        .chain((0..names).map(name))
        .collect::<String>();
    // `Origin::Embedded` takes files that are part of the program, so they are `'static`.
    let files = vec![("evenkeel.toml", &*text.leak()), ("lb.zone", ZONE)].leak();
    config::load(&Origin::Embedded(files)).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The decision on a pool in which all addresses are up.
fn decided(pool: &Pool) -> Decision {
    decide(pool, &mut pool.undecided(|_, _| Health::Up.into()), &mut Rng::with_seed(1))
}

/// A snapshot in which all addresses are up.
fn snapshot(loaded: LoadedConfig, counters: &Counters) -> Snapshot {
    loaded.into_snapshot(counters, |_, _| Health::Up.into(), &mut Rng::with_seed(1))
}

/// A query with an OPT record, as resolvers send it.
fn packet(name: &str, qtype: u8) -> Vec<u8> {
    let mut packet = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    packet.extend(parse_wire(name.as_bytes(), None).expect("the names here are valid"));
    packet.extend([0, qtype, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    packet
}

fn query(packet: &[u8]) -> Query<'_> {
    let Received::Query(query) = parse(packet) else { panic!("the packets here are queries") };
    query
}

fn queries(c: &mut Criterion) {
    let counters = Counters::default();
    let snapshot = snapshot(configuration(1000, 8, 100_000, |_| 1), &counters);
    let mut responder = Responder::new(counters.worker(Protocol::Udp));
    let mut out = Vec::new();
    let shared = packet("n77777.lb.example", 1);
    c.bench_function("parse", |b| b.iter(|| matches!(parse(black_box(&shared)), Received::Query(_))));
    c.bench_function("lookup", |b| {
        let wire = parse_wire(b"www.lb.example", None).expect("the names here are valid");
        b.iter(|| {
            let name = Folded::new(black_box(&wire));
            let zone = snapshot.config.zones.find(&name, Rtype::A).expect("lb.example is configured");
            black_box(zone.lookup(&name, Rtype::A));
        });
    });
    c.bench_function("encode", |b| {
        let query = query(&shared);
        let synthesized = SynthesizedNames::default();
        let answer = answer(&query.question, &snapshot, &synthesized, &mut Rng::with_seed(1));
        b.iter(|| encode(black_box(&query), &answer, 1232, &ResponseOptions::default(), &mut out));
    });
    for (what, name, qtype) in [
        ("shared", "n77777.lb.example", 1),
        ("shared without addresses", "n77777.lb.example", 28),
        ("static", "www.lb.example", 1),
        ("no such name", "nothing.lb.example", 1),
        ("referral", "core.sub.lb.example", 1),
        ("refused", "example.org", 1),
        ("no such name, 123 labels", &("a.".repeat(121) + "lb.example"), 1),
        ("no such name, 80 labels of the zone", &("lb.".repeat(80) + "lb.example"), 1),
        ("referral, 121 labels", &("a.".repeat(118) + "sub.lb.example"), 1),
    ] {
        let packet = packet(name, qtype);
        c.bench_function(&format!("respond/{what}"), |b| {
            b.iter(|| responder.respond(black_box(&packet), Transport::Udp, &snapshot, &mut out));
        });
    }
    // Each query is for another name, in an order that defeats the caches of the CPU.
    let packets: Vec<_> = (0..100_000).map(|i| packet(&format!("n{}.lb.example", i * 7919 % 100_000), 1)).collect();
    c.bench_function("respond/100,000 names", |b| {
        let mut next = 0;
        b.iter(|| {
            next = (next + 1) % packets.len();
            responder.respond(&packets[next], Transport::Udp, &snapshot, &mut out)
        });
    });
}

fn draws(c: &mut Criterion) {
    let mut group = c.benchmark_group("draw 8");
    for nodes in [8, 100, 10_000] {
        for (what, weight) in [("equal", (|_| 1) as fn(usize) -> usize), ("weighted", |node| 1 + node % 3)] {
            let loaded = configuration(1, nodes, 1, weight);
            let PoolView::Addresses { v4, .. } = decided(&loaded.pools[0].pool).view else {
                panic!("nodes that are up give a view with addresses")
            };
            let mut rng = Rng::with_seed(1);
            group.bench_function(BenchmarkId::new(what, nodes), |b| b.iter(|| v4.draw(8, &mut rng)));
        }
    }
}

fn transitions(c: &mut Criterion) {
    for nodes in [10, 100, 10_000] {
        let loaded = configuration(1, nodes, 1, |_| 1);
        let pool = &loaded.pools[0].pool;
        let mut rng = Rng::with_seed(1);
        c.bench_function(&format!("decide/{nodes} nodes"), |b| {
            b.iter(|| decide(pool, &mut pool.undecided(|_, _| Health::Up.into()), &mut rng));
        });
    }
    for pools in [1, 1000] {
        let loaded = configuration(pools, 10, pools, |_| 1);
        let pool = Arc::clone(&loaded.pools[0].pool);
        let mut rng = Rng::with_seed(1);
        let current = ArcSwap::from_pointee(snapshot(loaded, &Counters::default()));
        c.bench_function(&format!("flip/{pools} pools of 10"), |b| {
            b.iter(|| {
                let view = decide(&pool, &mut pool.undecided(|_, _| Health::Up.into()), &mut rng).view;
                let next = current.load().with_views([(0, view)]);
                drop(current.swap(Arc::new(next)));
            });
        });
    }
}

criterion_group!(benches, queries, draws, transitions);
criterion_main!(benches);
