//! Any bytes as a message over UDP and over TCP.
//!
//! Over snapshots of all shapes, both paths write the same bytes, the response is well formed, and
//! responding allocates a bounded amount of memory.
#![no_main]

use std::alloc::System;
use std::cell::RefCell;

use evenkeel::config::{self, Origin};
use evenkeel_core::health::Health;
use evenkeel_core::respond::Transport;
use evenkeel_core::snapshot::Snapshot;
use evenkeel_fuzz::{Pair, STREAM, check_both, check_response};
use libfuzzer_sys::fuzz_target;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Most bytes that the two responses to one packet may allocate. Each buffer of a response grows up
/// to 65,535 bytes by doubling.
const MAX_ALLOCATED: usize = 512 << 10;

const CONFIG: &[(&str, &str)] = &[
    ("evenkeel.toml", include_str!("packet.toml")),
    ("kitchen.zone", include_str!("../../tests/it/zones/kitchen.zone")),
    ("child.zone", include_str!("../../tests/it/zones/child.zone")),
];

/// A snapshot, and the responders that read it.
struct Served {
    snapshot: Snapshot,
    pair: Pair,
}

impl Served {
    /// Serves [`CONFIG`] with the health that a function gives to the nodes of each pool, by index.
    fn new(nsid: Option<&[u8]>, health: fn(usize) -> Health) -> Self {
        let mut loaded = config::load(&Origin::Embedded(CONFIG)).unwrap_or_else(|problems| panic!("{problems}"));
        loaded.server.nsid = nsid.map(Into::into);
        let counters = Pair::counters(loaded.pools.iter().map(|config| &*config.pool));
        let mut node = 0;
        let health = |_: &_, _| {
            node += 1;
            health(node).into()
        };
        let snapshot = loaded.into_snapshot(&counters[0], health, &mut fastrand::Rng::with_seed(1));
        Self { snapshot, pair: Pair::new(counters) }
    }

    fn check(&mut self, packet: &[u8]) {
        let responses = [Transport::Udp, STREAM].map(|transport| {
            let region = Region::new(ALLOCATOR);
            let response = self.pair.respond(packet, transport, &self.snapshot, 7);
            let change = region.change();
            let allocated = change.bytes_allocated + change.bytes_reallocated.unsigned_abs();
            assert!(allocated <= MAX_ALLOCATED, "{allocated} bytes were allocated");
            let response = response.unwrap_or_else(|difference| panic!("{difference}"));
            response.map(|response| check_response(packet, transport, &response))
        });
        match responses {
            [None, None] => {}
            [Some(udp), Some(stream)] => check_both(&udp, &stream),
            _ => panic!("only one transport has a response"),
        }
    }
}

thread_local! {
    /// Nodes that are all up, up in part, and all down.
    static SERVED: RefCell<[Served; 3]> = RefCell::new([
        Served::new(Some(&[b'n'; 64]), |_| Health::Up),
        Served::new(None, |node| if node % 3 == 0 { Health::Up } else { Health::Down }),
        Served::new(Some(b"ns-a"), |_| Health::Down),
    ]);
}

fuzz_target!(|packet: &[u8]| {
    SERVED.with_borrow_mut(|served| {
        for served in served {
            served.check(packet);
            served.pair.compare_counts().unwrap_or_else(|difference| panic!("{difference}"));
        }
    });
});
