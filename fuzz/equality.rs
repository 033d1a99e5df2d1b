//! Feeds random packets to the fast path and to the definition, over many snapshots, until a time is over or they differ: in a
//! byte, or in what they have counted.
//!
//! ```sh
//! cargo run --release --example fuzz_equality -- 1800
//! ```
//! runs for half an hour on all cores. A difference is printed with the seed that brings it back, and ends with 1.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use evenkeel::config::{self, Origin};
use evenkeel_core::counters::{CounterTotals, Counters, Protocol, Responses};
use evenkeel_core::health::Health;
use evenkeel_core::name::parse_wire;
use evenkeel_core::pool::{Node, Pool};
use evenkeel_core::respond::{Responder, Transport};
use evenkeel_core::snapshot::Snapshot;
use fastrand::Rng;

/// Packets for each snapshot.
const PACKETS: u32 = 2000;

/// Names that are shared, and others around them.
const NAMES: [&str; 9] = [
    "core.lb.example",
    "lb.example",
    "a.very.deep.name.of.a.pool.lb.example",
    "x.wild.lb.example",
    "alias.lb.example",
    "ns1.lb.example",
    "x.sub.lb.example",
    "nothing.lb.example",
    ".",
];

const CONFIG: &[(&str, &str)] = &[
    (
        "evenkeel.toml",
        r#"
[zones."lb.example"]
file = "lb.zone"
[pools.one]
nodes = [{ name = "n", address = "192.0.2.1" }]
[pools.two]
nodes = [{ name = "n", address = "2001:db8::1" }]
[names."core.lb.example"]
pool = "one"
[names."lb.example"]
pool = "two"
answers = 3
[names."a.very.deep.name.of.a.pool.lb.example"]
pool = "one"
ttl = "1h"
answers = 60
[names."*.wild.lb.example"]
pool = "two"
"#,
    ),
    (
        "lb.zone",
        "$TTL 300\n@ SOA ns1 hostmaster 1 3600 900 604800 5\n@ NS ns1\nns1 A 192.0.2.1\nalias CNAME core\nsub NS ns1\ncore TXT x\n",
    ),
];

/// Pools of random nodes, weights and health behind the same names.
fn snapshot(rng: &mut Rng, counters: &[Counters; 2]) -> Snapshot {
    let mut loaded = config::load(&Origin::Embedded(CONFIG)).unwrap_or_else(|problems| panic!("{problems}"));
    for config in &mut loaded.pools {
        let nodes = random_nodes(&config.pool.nodes[0], rng);
        config.pool = Arc::new(Pool { nodes, ..(*config.pool).clone() });
    }
    loaded.server.nsid = rng.bool().then(|| Box::from(*b"ns-a"));
    // Both number the nodes in the same order.
    let [first, second] = counters;
    drop(second.node_numbers(loaded.pools.iter().map(|config| &*config.pool)));
    let mut health = rng.fork();
    let health = |_: &Node, _| if health.u8(..5) > 0 { Health::Up } else { Health::Down }.into();
    loaded.into_snapshot(first, health, rng)
}

fn random_nodes(template: &Node, rng: &mut Rng) -> Vec<Node> {
    let is_weighted = rng.bool();
    let address =
        |rng: &mut Rng| if rng.bool() { rng.u32(..).to_be_bytes().into() } else { rng.u128(..).to_be_bytes().into() };
    let count = [1, 3, 8, 20, 90][rng.usize(..5)];
    let node = |_| Node {
        addresses: (0..rng.usize(1..4)).map(|_| address(rng)).collect(),
        weight: if is_weighted { rng.u32(1..20) } else { 1 },
        ..template.clone()
    };
    (0..count).map(node).collect()
}

/// A question with or without EDNS, and often a change somewhere in it.
fn packet(rng: &mut Rng) -> Vec<u8> {
    let with_edns = rng.u8(..4) > 0;
    let mut packet = vec![rng.u8(..), rng.u8(..), rng.u8(..8), rng.u8(..), 0, 1, 0, 0, 0, 0, 0, u8::from(with_edns)];
    let mut name = parse_wire(NAMES[rng.usize(..NAMES.len())].as_bytes(), None).unwrap_or_default();
    name.iter_mut().filter(|byte| byte.is_ascii_alphabetic() && rng.bool()).for_each(u8::make_ascii_uppercase);
    packet.extend(name);
    packet.extend([0, [1, 28, 1, 28, rng.u8(..)][rng.usize(..5)], 0, 1]);
    if with_edns {
        let options: &[&[u8]] = &[&[], &[0, 3, 0, 0], &[0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2], &[0, 10, 0, 2, 1, 2]];
        let options = options[rng.usize(..options.len())];
        packet.extend([0, 0, 41, rng.u8(..8), rng.u8(..), 0, 0, rng.u8(..) & 0x80, 0, 0, options.len() as u8]);
        packet.extend(options);
    }
    for _ in 0..rng.usize(..4).saturating_sub(1) {
        let at = rng.usize(..=packet.len());
        match rng.u8(..4) {
            0 => packet.truncate(at),
            1 => packet.insert(at, rng.u8(..)),
            2 => packet.push(rng.u8(..)),
            _ if at < packet.len() => packet[at] = rng.u8(..),
            _ => {}
        }
    }
    packet
}

/// Compares both on the packets of a seed.
fn compare(seed: u64) -> Result<(), String> {
    let mut rng = Rng::with_seed(seed);
    let counters = [Counters::default(), Counters::default()];
    let serving = snapshot(&mut rng, &counters);
    let [mut one, mut other] = counters.each_ref().map(|counters| Responder::new(counters.worker(Protocol::Udp)));
    let (mut fast, mut general) = (Vec::new(), Vec::new());
    for _ in 0..PACKETS {
        let packet = packet(&mut rng);
        let transport = if rng.bool() { Transport::Udp } else { Transport::Stream };
        let draw = rng.u64(..);
        one.reseed(draw);
        let is_fast = one.respond(&packet, transport, &serving, &mut fast);
        other.reseed(draw);
        let is_general = other.respond_by_slow_path(&packet, transport, &serving, &mut general);
        if is_fast != is_general || is_fast && fast != general {
            return Err(format!("seed {seed}, packet {packet:02x?}\nfast    {fast:02x?}\ngeneral {general:02x?}"));
        }
    }
    let [fast, general] = counters.map(|counters| {
        let CounterTotals { mut answers, records } = counters.totals();
        let Responses { rcodes, ignored, truncated, .. } = answers.remove(&Protocol::Udp).unwrap_or_default();
        (records, rcodes, ignored, truncated)
    });
    if fast == general { Ok(()) } else { Err(format!("seed {seed}, counts\nfast    {fast:?}\ngeneral {general:?}")) }
}

fn main() -> ExitCode {
    let seconds = std::env::args().nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(60);
    let until = Instant::now() + Duration::from_secs(seconds);
    let (next, differs) = (AtomicU64::new(Rng::new().u64(..) >> 1), AtomicBool::new(false));
    let began = next.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while Instant::now() < until && !differs.load(Ordering::Relaxed) {
                    if let Err(difference) = compare(next.fetch_add(1, Ordering::Relaxed)) {
                        eprintln!("{difference}");
                        differs.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let snapshots = next.load(Ordering::Relaxed) - began;
    println!("{} packets over {snapshots} snapshots", snapshots * u64::from(PACKETS));
    ExitCode::from(u8::from(differs.load(Ordering::Relaxed)))
}
