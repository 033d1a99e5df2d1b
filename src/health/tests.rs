//! The scheduler and the publisher together, with scripted probes and a paused clock.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use evenkeel_core::actor::Actor;
use evenkeel_core::node_id::NodeId;
use evenkeel_core::overrides::{Override, Overrides};
use evenkeel_core::pool::{ForcedState, Node, Pool, PoolView, Role};
use evenkeel_core::snapshot::{CurrentSnapshot, Snapshot, SnapshotConfig};
use evenkeel_core::state::RememberedHealth;
use tokio::time::Instant;

use super::{ConfigHandle, HealthHandle, HealthStatus, PublishedConfig, Publisher, PublisherSettings};
use crate::clock::unix_now;
use crate::monitor::script::Script;
use crate::monitor::{Monitor, MonitorKind};
use crate::pool_config::PoolConfig;
use crate::role_action::RoleActions;

const INTERVAL: Duration = Duration::from_secs(5);

fn monitor(name: &str, interval: Duration) -> Arc<Monitor> {
    let name = name.into();
    Arc::new(Monitor { name, kind: MonitorKind::Ping, interval, timeout: INTERVAL, rise: 2, fall: 3 })
}

fn address(i: u32) -> IpAddr {
    std::net::Ipv4Addr::from(0x0a00_0000 + i).into()
}

fn pool(name: &str, nodes: std::ops::Range<u32>, monitor: &Arc<Monitor>) -> PoolConfig {
    let node = |i| Node { name: format!("n{i}").into(), addresses: vec![address(i)], weight: 1, role: Role::Active };
    let nodes = nodes.map(node).collect();
    PoolConfig {
        pool: Arc::new(Pool::with_defaults(name, nodes)),
        monitors: vec![Arc::clone(monitor)],
        standby_monitors: Vec::new(),
        host: Some("core.lb.example".into()),
        actions: RoleActions::default(),
    }
}

/// A running publisher and scheduler.
struct Harness {
    script: Arc<Script>,
    current: CurrentSnapshot,
    config: ConfigHandle,
    generation: u64,
    in_flight: usize,
    health: HealthHandle,
}

impl Harness {
    fn new(script: Script, in_flight: usize) -> Self {
        let script = Arc::new(script);
        let current = CurrentSnapshot::new(ArcSwap::from_pointee(Snapshot::empty()));
        let settings = PublisherSettings {
            prober: script.prober(),
            in_flight,
            overrides: Overrides::default(),
            remembered: RememberedHealth::default(),
        };
        let (publisher, config, health) = Publisher::new(Arc::clone(&current), settings, Arc::default());
        tokio::spawn(publisher.run());
        Self { script, current, config, generation: 0, in_flight, health }
    }

    async fn adopt(&mut self, pools: Vec<PoolConfig>, grace: Duration) {
        self.generation += 1;
        let config = PublishedConfig { generation: self.generation, config: Arc::new(SnapshotConfig::empty()), pools };
        let wait_ends = async {
            tokio::time::sleep(grace).await;
            None::<()>
        };
        let interrupted = self.config.adopt(config, self.in_flight, wait_ends).await.unwrap();
        assert_eq!(interrupted, None);
    }

    /// The number of eligible nodes of a pool.
    fn eligible(&self, pool: usize) -> usize {
        let snapshot = self.current.load();
        let PoolView::Addresses { v4, .. } = &*snapshot.pools[pool] else { panic!("a view with addresses") };
        v4.draw(usize::MAX, &mut fastrand::Rng::with_seed(1)).len()
    }

    /// Makes the probes of these addresses fail, and all others succeed.
    fn fail(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        *self.script.failing.lock().unwrap() = addresses.into_iter().collect();
    }

    /// The start of every probe, per address.
    fn starts(&self) -> HashMap<IpAddr, Vec<Instant>> {
        let mut starts: HashMap<_, Vec<_>> = HashMap::new();
        for &(address, began, _) in self.script.probes.lock().unwrap().iter() {
            starts.entry(address).or_default().push(began);
        }
        starts
    }
}

#[tokio::test(start_paused = true)]
async fn slow_probes_never_overlap_and_keep_their_offset() {
    let duration = INTERVAL * 7 / 2;
    let mut harness = Harness::new(Script::with_duration(duration), 1000);
    harness.adopt(vec![pool("core", 0..1, &monitor("m", INTERVAL))], duration * 2).await;
    tokio::time::sleep(INTERVAL * 40).await;
    let starts = harness.starts().remove(&address(0)).unwrap();
    assert!(starts.len() >= 10, "{starts:?}");
    for pair in starts.windows(2) {
        assert!(pair[1] - pair[0] >= duration, "a probe started while another was in flight");
    }
    // The first probe runs at once. All others start a whole number of intervals after each other.
    for pair in starts[1..].windows(2) {
        let intervals = (pair[1] - pair[0]).as_secs_f64() / INTERVAL.as_secs_f64();
        assert!((intervals - intervals.round()).abs() < 0.01, "the offset drifts: {starts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn probes_are_spread_over_the_interval_and_bounded() {
    // The offsets are random, and some seeds in thousands would exceed the limits below.
    fastrand::seed(1);
    let duration = Duration::from_millis(100);
    let mut harness = Harness::new(Script::with_duration(duration), 50);
    let began = Instant::now();
    harness.adopt(vec![pool("core", 0..2000, &monitor("m", INTERVAL))], INTERVAL * 10).await;
    // 2,000 probes of 100 ms, 50 in flight: the first round takes 4 s, and adopt waits for it.
    assert_eq!(harness.starts().len(), 2000);
    assert!((4.0..4.5).contains(&began.elapsed().as_secs_f64()), "{:?}", began.elapsed());
    assert_eq!(*harness.script.max_in_flight.lock().unwrap(), 50);
    tokio::time::sleep_until(began + INTERVAL * 4).await;
    // From then on, each tenth of the interval has about a tenth of the probes.
    let mut tenths = [0_u32; 10];
    for start in harness.starts().into_values().flatten().filter(|&start| start >= began + INTERVAL * 2) {
        let phase = (start - began).as_secs_f64() % INTERVAL.as_secs_f64() / INTERVAL.as_secs_f64();
        tenths[(phase * 10.0) as usize] += 1;
    }
    assert!(tenths.iter().all(|count| (280..520).contains(count)), "{tenths:?}");
    // A reload during probes adds no second bound. A new bound holds for all probes once those that
    // waited before the reload have run.
    for in_flight in [50, 20, 70] {
        harness.in_flight = in_flight;
        harness.adopt(vec![pool("core", 0..2000, &monitor(&in_flight.to_string(), INTERVAL))], INTERVAL * 10).await;
        tokio::time::sleep(INTERVAL * 2).await;
        *harness.script.max_in_flight.lock().unwrap() = 0;
        tokio::time::sleep(INTERVAL * 3).await;
        let most = *harness.script.max_in_flight.lock().unwrap();
        assert!((1..=in_flight).contains(&most), "{most} of {in_flight}");
    }
}

#[tokio::test(start_paused = true)]
async fn transitions_are_published_for_every_pool() {
    let mut harness = Harness::new(Script::default(), 1000);
    let monitor = monitor("m", INTERVAL);
    harness.adopt(vec![pool("core", 0..3, &monitor), pool("all", 0..6, &monitor)], INTERVAL).await;
    assert_eq!((harness.eligible(0), harness.eligible(1)), (3, 6));
    // An address that is in two pools with the same host is one target.
    assert_eq!(harness.starts().values().map(Vec::len).sum::<usize>(), 6);
    harness.fail([address(1)]);
    tokio::time::sleep(INTERVAL * 2).await;
    assert_eq!((harness.eligible(0), harness.eligible(1)), (3, 6), "two failures are fewer than `fall`");
    tokio::time::sleep(INTERVAL * 2).await;
    assert_eq!((harness.eligible(0), harness.eligible(1)), (2, 5));
    harness.fail([]);
    tokio::time::sleep(INTERVAL * 3).await;
    assert_eq!((harness.eligible(0), harness.eligible(1)), (3, 6));
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_health_and_ends_the_probes_of_removed_nodes() {
    let mut harness = Harness::new(Script::default(), 1000);
    harness.fail([address(1)]);
    harness.adopt(vec![pool("core", 0..3, &monitor("m", INTERVAL))], INTERVAL).await;
    assert_eq!(harness.eligible(0), 2);
    // Another interval changes the schedule, but earlier results still count.
    harness.fail([]);
    let slower = monitor("m", INTERVAL * 100);
    harness.adopt(vec![pool("other", 0..2, &slower)], INTERVAL).await;
    assert_eq!((harness.current.load().generation, harness.eligible(0)), (2, 1));
    let probed = harness.starts().remove(&address(2)).unwrap().len();
    tokio::time::sleep(INTERVAL * 20).await;
    assert_eq!(harness.starts().remove(&address(2)).unwrap().len(), probed, "a removed node is still probed");
    harness.adopt(Vec::new(), INTERVAL).await;
    let all = harness.script.probes.lock().unwrap().len();
    tokio::time::sleep(INTERVAL * 500).await;
    assert_eq!(harness.script.probes.lock().unwrap().len(), all, "nothing is left to probe");
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_the_first_round_ends_with_the_grace_period() {
    let mut harness = Harness::new(Script::with_duration(INTERVAL / 2), 1000);
    let began = Instant::now();
    harness.adopt(vec![pool("core", 0..3, &monitor("m", INTERVAL))], INTERVAL).await;
    assert!((INTERVAL / 2..INTERVAL).contains(&began.elapsed()), "all probes have ended: {:?}", began.elapsed());
    harness.fail((0..6).map(address));
    let began = Instant::now();
    harness.adopt(vec![pool("core", 0..6, &monitor("m", INTERVAL))], INTERVAL / 10).await;
    assert!(began.elapsed() < INTERVAL / 5, "the grace period is over: {:?}", began.elapsed());
    assert_eq!(harness.eligible(0), 3, "unknown nodes are not eligible while others are up");
}

#[tokio::test(start_paused = true)]
async fn many_transitions_keep_only_the_held_and_the_current_snapshot() {
    let mut harness = Harness::new(Script::default(), 1000);
    let every = Duration::from_millis(50);
    harness.adopt(vec![pool("core", 0..50, &monitor("m", every))], INTERVAL).await;
    let held = harness.current.load_full();
    let weak = Arc::downgrade(&held);
    let mut snapshots = vec![Arc::downgrade(&held)];
    for round in 0..200 {
        if round % 2 == 0 {
            harness.fail((0..50).map(address))
        } else {
            harness.fail([])
        }
        tokio::time::sleep(every * 3).await;
        snapshots.push(Arc::downgrade(&harness.current.load_full()));
    }
    let alive = snapshots.iter().filter(|snapshot| snapshot.strong_count() > 0).count();
    assert!(alive <= 2, "{alive} snapshots are alive, not only the held one and the current one");
    drop(held);
    harness.fail([]);
    tokio::time::sleep(every * 10).await;
    harness.fail([address(0)]);
    tokio::time::sleep(every * 10).await;
    assert_eq!(weak.strong_count(), 0, "freed with the next publication");
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_reload_leaves_no_probe_and_changes_nothing() {
    let mut harness = Harness::new(Script::with_duration(INTERVAL), 1000);
    let monitor = monitor("m", INTERVAL * 2);
    harness.adopt(vec![pool("core", 0..2, &monitor)], INTERVAL * 2).await;
    let config = Arc::new(SnapshotConfig::empty());
    let config = PublishedConfig { generation: 9, config, pools: vec![pool("core", 0..5, &monitor)] };
    let wait_ends = async {
        tokio::time::sleep(INTERVAL / 2).await;
        Some("interrupted")
    };
    assert_eq!(harness.config.adopt(config, 1000, wait_ends).await.unwrap(), Some("interrupted"));
    assert_eq!((harness.current.load().generation, harness.eligible(0)), (1, 2));
    tokio::time::sleep(INTERVAL * 20).await;
    assert!(
        !harness.starts().contains_key(&address(4)),
        "a target of a configuration that was not adopted is still probed"
    );
    // The next reload probes its targets before it answers them, also those that were being probed
    // when the earlier reload was interrupted.
    harness.fail([address(3)]);
    harness.adopt(vec![pool("core", 0..5, &monitor)], INTERVAL * 2).await;
    assert_eq!(harness.eligible(0), 4);
}

#[tokio::test(start_paused = true)]
async fn an_override_is_answered_when_it_is_acknowledged_and_is_the_reason() {
    let mut harness = Harness::new(Script::default(), 1000);
    harness.adopt(vec![pool("core", 0..3, &monitor("m", INTERVAL))], INTERVAL).await;
    let by = Actor::Operator("ops".to_owned());
    let drain = Override { state: ForcedState::Drain, by, why: "patching".into(), at: 0, until: None };
    let mut overrides = Overrides::default();
    overrides.set(NodeId::new("core", "n1"), drain.clone());
    overrides.set(NodeId::new("gone", "n7"), drain);
    harness.health.set_overrides(overrides).await.unwrap();
    assert_eq!(harness.eligible(0), 2);
    let HealthStatus { generation, pools, absent } = harness.health.status().await.unwrap();
    assert_eq!(absent.iter().map(|absent| absent.node.as_str()).collect::<Vec<_>>(), ["gone/n7"]);
    assert_eq!((generation, pools[0].available, pools[0].min_available), (1, 2, 1));
    let node = &pools[0].nodes[1];
    assert_eq!((node.eligible, node.why.as_str()), (false, "drained by ops (patching); its health is up"));
    assert!(node.idle_from.is_some_and(|idle| idle >= unix_now() + 5), "{node:?}");
    // A reload keeps the override, and the time from which the node is idle.
    harness.adopt(vec![pool("core", 0..4, &monitor("m", INTERVAL))], INTERVAL).await;
    let pools = harness.health.status().await.unwrap().pools;
    assert_eq!((harness.eligible(0), pools[0].nodes[1].idle_from), (3, node.idle_from));
    harness.health.set_overrides(Overrides::default()).await.unwrap();
    let pools = harness.health.status().await.unwrap().pools;
    assert_eq!((harness.eligible(0), pools[0].nodes[1].idle_from), (4, None));
    // The status of a node that fails has the reason, too.
    harness.fail([address(2)]);
    tokio::time::sleep(INTERVAL * 4).await;
    let pools = harness.health.status().await.unwrap().pools;
    assert_eq!((pools[0].nodes[2].why.as_str(), pools[0].nodes[0].why.as_str()), ("down: status 503", "up"));
}
