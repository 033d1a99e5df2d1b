//! Random packets, over many random snapshots, on both paths: the fast path and the slow path write
//! the same bytes and count the same.
//!
//! ```sh
//! cargo run --release --manifest-path fuzz/Cargo.toml --bin equality -- 1800
//! ```
//! runs for half an hour on all cores. A difference is printed with the seed that reproduces it,
//! and the exit code is 1 then. A number after the seconds is a seed: only that snapshot is
//! tested.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use evenkeel::config::{self, Origin};
use evenkeel_core::counters::Counters;
use evenkeel_core::health::Health;
use evenkeel_core::name::parse_wire;
use evenkeel_core::pool::{Node, Pool};
use evenkeel_core::respond::Transport;
use evenkeel_core::snapshot::Snapshot;
use evenkeel_fuzz::{Pair, STREAM};
use fastrand::Rng;

/// Packets per snapshot.
const PACKETS: u32 = 2000;

/// Names that are queried: shared ones, and others around them.
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

/// The configuration, with random nodes, weights and health.
fn snapshot(rng: &mut Rng) -> (Snapshot, [Counters; 2]) {
    let mut loaded = config::load(&Origin::Embedded(CONFIG)).unwrap_or_else(|problems| panic!("{problems}"));
    for config in &mut loaded.pools {
        let nodes = random_nodes(&config.pool.nodes[0], rng);
        config.pool = Arc::new(Pool { nodes, ..(*config.pool).clone() });
    }
    loaded.server.nsid = rng.bool().then(|| Box::from(*b"ns-a"));
    let counters = Pair::counters(loaded.pools.iter().map(|config| &*config.pool));
    let mut health = rng.fork();
    let health = |_: &Node, _| if health.u8(..5) > 0 { Health::Up } else { Health::Down }.into();
    (loaded.into_snapshot(&counters[0], health, rng), counters)
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

/// A query with or without EDNS, often with a few bytes changed.
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

/// Compares both paths on the packets of a seed.
fn compare(seed: u64) -> Result<(), String> {
    let mut rng = Rng::with_seed(seed);
    let (snapshot, counters) = snapshot(&mut rng);
    let mut pair = Pair::new(counters);
    for _ in 0..PACKETS {
        let packet = packet(&mut rng);
        let transport = if rng.bool() { Transport::Udp } else { STREAM };
        pair.respond(&packet, transport, &snapshot, rng.u64(..))
            .map_err(|difference| format!("seed {seed}, {difference}"))?;
    }
    pair.compare_counts().map_err(|difference| format!("seed {seed}, {difference}"))
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let (seconds, seed) = match (arguments.next().transpose(), arguments.next().transpose()) {
        (Ok(seconds), Ok(seed)) => (seconds.unwrap_or(60), seed),
        _ => {
            eprintln!("usage: equality [SECONDS [SEED]]");
            return ExitCode::from(64);
        }
    };
    let is_one = seed.is_some();
    let first = seed.unwrap_or_else(|| Rng::new().u64(..) >> 1);
    let end = Instant::now() + Duration::from_secs(seconds);
    let (next, differs) = (AtomicU64::new(first), AtomicBool::new(false));
    let test = || {
        if let Err(difference) = compare(next.fetch_add(1, Ordering::Relaxed)) {
            eprintln!("{difference}");
            differs.store(true, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        if is_one {
            return test();
        }
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while Instant::now() < end && !differs.load(Ordering::Relaxed) {
                    test();
                }
            });
        }
    });
    let snapshots = next.load(Ordering::Relaxed) - first;
    println!("{} packets over {snapshots} snapshots", snapshots * u64::from(PACKETS));
    ExitCode::from(u8::from(differs.load(Ordering::Relaxed)))
}
