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

use super::{Beginning, ConfigHandle, HealthHandle, Plan, Publisher};
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

/// A publisher and a scheduler at work.
struct Bench {
    script: Arc<Script>,
    current: CurrentSnapshot,
    handle: ConfigHandle,
    generation: u64,
    in_flight: usize,
    health: HealthHandle,
}

impl Bench {
    fn new(script: Script, in_flight: usize) -> Self {
        let script = Arc::new(script);
        let current = CurrentSnapshot::new(ArcSwap::from_pointee(Snapshot::empty()));
        let beginning = Beginning {
            prober: script.prober(),
            in_flight,
            overrides: Overrides::default(),
            remembered: RememberedHealth::default(),
        };
        let (publisher, handle, health) = Publisher::new(Arc::clone(&current), beginning, Arc::default());
        tokio::spawn(publisher.run());
        Self { script, current, handle, generation: 0, in_flight, health }
    }

    async fn adopt(&mut self, pools: Vec<PoolConfig>, grace: Duration) {
        self.generation += 1;
        let plan = Plan { generation: self.generation, config: Arc::new(SnapshotConfig::empty()), pools };
        let enough = async {
            tokio::time::sleep(grace).await;
            None::<()>
        };
        let interrupted = self.handle.adopt(plan, self.in_flight, enough).await.unwrap();
        assert_eq!(interrupted, None);
    }

    /// How many nodes of a pool can be answered.
    fn eligible(&self, pool: usize) -> usize {
        let snapshot = self.current.load();
        let PoolView::Addresses { v4, .. } = &*snapshot.pools[pool] else { panic!("a view with addresses") };
        v4.draw(usize::MAX, &mut fastrand::Rng::with_seed(1)).len()
    }

    fn fail(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        *self.script.failing.lock().unwrap() = addresses.into_iter().collect();
    }

    /// Begin of every probe of an address.
    fn begins(&self) -> HashMap<IpAddr, Vec<Instant>> {
        let mut begins: HashMap<_, Vec<_>> = HashMap::new();
        for &(address, began, _) in self.script.probes.lock().unwrap().iter() {
            begins.entry(address).or_default().push(began);
        }
        begins
    }
}

#[tokio::test(start_paused = true)]
async fn slow_probes_never_overlap_and_keep_the_rhythm() {
    let takes = INTERVAL * 7 / 2;
    let mut bench = Bench::new(Script::with_duration(takes), 1000);
    bench.adopt(vec![pool("core", 0..1, &monitor("m", INTERVAL))], takes * 2).await;
    tokio::time::sleep(INTERVAL * 40).await;
    let begins = bench.begins().remove(&address(0)).unwrap();
    assert!(begins.len() >= 10, "{begins:?}");
    for pair in begins.windows(2) {
        assert!(pair[1] - pair[0] >= takes, "a probe began while the one before was under way");
    }
    // The first probe runs at once; all others begin a whole number of intervals after each other.
    for pair in begins[1..].windows(2) {
        let intervals = (pair[1] - pair[0]).as_secs_f64() / INTERVAL.as_secs_f64();
        assert!((intervals - intervals.round()).abs() < 0.01, "the rhythm drifts: {begins:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn probes_are_spread_over_the_interval_and_bounded() {
    let takes = Duration::from_millis(100);
    let mut bench = Bench::new(Script::with_duration(takes), 50);
    let began = Instant::now();
    bench.adopt(vec![pool("core", 0..2000, &monitor("m", INTERVAL))], INTERVAL * 10).await;
    // 2,000 probes of 100 ms, 50 at a time: the first round takes 4 s and is waited for.
    assert_eq!(bench.begins().len(), 2000);
    assert!((4.0..4.5).contains(&began.elapsed().as_secs_f64()), "{:?}", began.elapsed());
    assert_eq!(*bench.script.max_in_flight.lock().unwrap(), 50);
    tokio::time::sleep_until(began + INTERVAL * 4).await;
    // From then on a tenth of the interval sees about a tenth of the nodes.
    let mut tenths = [0_u32; 10];
    for begin in bench.begins().into_values().flatten().filter(|&begin| begin >= began + INTERVAL * 2) {
        let phase = (begin - began).as_secs_f64() % INTERVAL.as_secs_f64() / INTERVAL.as_secs_f64();
        tenths[(phase * 10.0) as usize] += 1;
    }
    assert!(tenths.iter().all(|count| (280..520).contains(count)), "{tenths:?}");
    // A reload, even one while probes are under way, adds no second bound, and another bound holds for all once the
    // probes that waited before it have had their turn.
    for in_flight in [50, 20, 70] {
        bench.in_flight = in_flight;
        bench.adopt(vec![pool("core", 0..2000, &monitor(&in_flight.to_string(), INTERVAL))], INTERVAL * 10).await;
        tokio::time::sleep(INTERVAL * 2).await;
        *bench.script.max_in_flight.lock().unwrap() = 0;
        tokio::time::sleep(INTERVAL * 3).await;
        let most = *bench.script.max_in_flight.lock().unwrap();
        assert!((1..=in_flight).contains(&most), "{most} of {in_flight}");
    }
}

#[tokio::test(start_paused = true)]
async fn transitions_are_published_for_every_pool() {
    let mut bench = Bench::new(Script::default(), 1000);
    let monitor = monitor("m", INTERVAL);
    bench.adopt(vec![pool("core", 0..3, &monitor), pool("all", 0..6, &monitor)], INTERVAL).await;
    assert_eq!((bench.eligible(0), bench.eligible(1)), (3, 6));
    // An address in two pools, under the same host, is one target.
    assert_eq!(bench.begins().values().map(Vec::len).sum::<usize>(), 6);
    bench.fail([address(1)]);
    tokio::time::sleep(INTERVAL * 2).await;
    assert_eq!((bench.eligible(0), bench.eligible(1)), (3, 6), "two failures are not three");
    tokio::time::sleep(INTERVAL * 2).await;
    assert_eq!((bench.eligible(0), bench.eligible(1)), (2, 5));
    bench.fail([]);
    tokio::time::sleep(INTERVAL * 3).await;
    assert_eq!((bench.eligible(0), bench.eligible(1)), (3, 6));
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_health_and_ends_the_probes_of_what_is_gone() {
    let mut bench = Bench::new(Script::default(), 1000);
    bench.fail([address(1)]);
    bench.adopt(vec![pool("core", 0..3, &monitor("m", INTERVAL))], INTERVAL).await;
    assert_eq!(bench.eligible(0), 2);
    // Another interval is another schedule, but what was seen still counts.
    bench.fail([]);
    let slower = monitor("m", INTERVAL * 100);
    bench.adopt(vec![pool("other", 0..2, &slower)], INTERVAL).await;
    assert_eq!((bench.current.load().generation, bench.eligible(0)), (2, 1));
    let probed = bench.begins().remove(&address(2)).unwrap().len();
    tokio::time::sleep(INTERVAL * 20).await;
    assert_eq!(bench.begins().remove(&address(2)).unwrap().len(), probed, "a node that is gone is still probed");
    bench.adopt(Vec::new(), INTERVAL).await;
    let all = bench.script.probes.lock().unwrap().len();
    tokio::time::sleep(INTERVAL * 500).await;
    assert_eq!(bench.script.probes.lock().unwrap().len(), all, "nothing is left to probe");
}

#[tokio::test(start_paused = true)]
async fn the_first_round_is_waited_for_no_longer_than_the_grace() {
    let mut bench = Bench::new(Script::with_duration(INTERVAL / 2), 1000);
    let began = Instant::now();
    bench.adopt(vec![pool("core", 0..3, &monitor("m", INTERVAL))], INTERVAL).await;
    assert!((INTERVAL / 2..INTERVAL).contains(&began.elapsed()), "all have answered: {:?}", began.elapsed());
    bench.fail((0..6).map(address));
    let began = Instant::now();
    bench.adopt(vec![pool("core", 0..6, &monitor("m", INTERVAL))], INTERVAL / 10).await;
    assert!(began.elapsed() < INTERVAL / 5, "the grace is over: {:?}", began.elapsed());
    assert_eq!(bench.eligible(0), 3, "unknown nodes are not answered beside nodes that are up");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_flips_a_second_keep_one_snapshot_for_each_holder() {
    let mut bench = Bench::new(Script::default(), 1000);
    let every = Duration::from_millis(50);
    bench.adopt(vec![pool("core", 0..50, &monitor("m", every))], INTERVAL).await;
    let held = bench.current.load_full();
    let weak = Arc::downgrade(&held);
    let mut snapshots = vec![Arc::downgrade(&held)];
    for round in 0..200 {
        if round % 2 == 0 {
            bench.fail((0..50).map(address))
        } else {
            bench.fail([])
        }
        tokio::time::sleep(every * 3).await;
        snapshots.push(Arc::downgrade(&bench.current.load_full()));
    }
    let alive = snapshots.iter().filter(|snapshot| snapshot.strong_count() > 0).count();
    assert!(alive <= 2, "{alive} snapshots are alive: the held one and the current one are enough");
    drop(held);
    bench.fail([]);
    tokio::time::sleep(every * 10).await;
    bench.fail([address(0)]);
    tokio::time::sleep(every * 10).await;
    assert_eq!(weak.strong_count(), 0, "freed with the next publication");
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_is_given_up_leaves_no_probe_and_changes_nothing() {
    let mut bench = Bench::new(Script::with_duration(INTERVAL), 1000);
    let monitor = monitor("m", INTERVAL * 2);
    bench.adopt(vec![pool("core", 0..2, &monitor)], INTERVAL * 2).await;
    let config = Arc::new(SnapshotConfig::empty());
    let plan = Plan { generation: 9, config, pools: vec![pool("core", 0..5, &monitor)] };
    let enough = async {
        tokio::time::sleep(INTERVAL / 2).await;
        Some("interrupted")
    };
    assert_eq!(bench.handle.adopt(plan, 1000, enough).await.unwrap(), Some("interrupted"));
    assert_eq!((bench.current.load().generation, bench.eligible(0)), (1, 2));
    tokio::time::sleep(INTERVAL * 20).await;
    assert!(!bench.begins().contains_key(&address(4)), "a probe of a configuration that never came to be went on");
    // What the next reload wants is probed before it is answered, also what was being probed by then.
    bench.fail([address(3)]);
    bench.adopt(vec![pool("core", 0..5, &monitor)], INTERVAL * 2).await;
    assert_eq!(bench.eligible(0), 4);
}

#[tokio::test(start_paused = true)]
async fn an_override_is_seen_when_it_is_acknowledged_and_tells_why() {
    let mut bench = Bench::new(Script::default(), 1000);
    bench.adopt(vec![pool("core", 0..3, &monitor("m", INTERVAL))], INTERVAL).await;
    let by = Actor::Operator("ops".to_owned());
    let drain = Override { state: ForcedState::Drain, by, why: "patching".into(), at: 0, until: None };
    let mut overrides = Overrides::default();
    overrides.set(NodeId::new("core", "n1"), drain.clone());
    overrides.set(NodeId::new("gone", "n7"), drain);
    bench.health.set_overrides(overrides).await.unwrap();
    assert_eq!(bench.eligible(0), 2);
    let (generation, pools) = bench.health.status().await.unwrap();
    assert_eq!((generation, pools[0].available, pools[0].min_available), (1, 2, 1));
    let node = &pools[0].nodes[1];
    assert_eq!((node.eligible, node.why.as_str()), (false, "drained by ops (patching); by its monitors up"));
    assert!(node.idle_from.is_some_and(|idle| idle >= unix_now() + 5), "{node:?}");
    // A reload keeps the override, and since when the node is idle.
    bench.adopt(vec![pool("core", 0..4, &monitor("m", INTERVAL))], INTERVAL).await;
    let (_, pools) = bench.health.status().await.unwrap();
    assert_eq!((bench.eligible(0), pools[0].nodes[1].idle_from), (3, node.idle_from));
    bench.health.set_overrides(Overrides::default()).await.unwrap();
    let (_, pools) = bench.health.status().await.unwrap();
    assert_eq!((bench.eligible(0), pools[0].nodes[1].idle_from), (4, None));
    // A node that fails says why, too.
    bench.fail([address(2)]);
    tokio::time::sleep(INTERVAL * 4).await;
    let (_, pools) = bench.health.status().await.unwrap();
    assert_eq!((pools[0].nodes[2].why.as_str(), pools[0].nodes[0].why.as_str()), ("down: status 503", "up"));
}
