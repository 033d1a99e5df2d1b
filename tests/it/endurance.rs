//! Many clients scan while nodes are drained, die and return. Every session ends in a verdict, or
//! in an error that names a node that died.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use evenkeel_client::{Cluster, Error, Source, Verdict};
use tokio::runtime::Runtime;

use crate::support::cluster::{builder, start_server};
use crate::support::commands::run;
use crate::support::nodes::Nodes;
use crate::support::server::Server;
use crate::support::statistics::chi_square;
use crate::support::wait_until;

const NODES: u8 = 10;
const CLIENTS: usize = 50;

/// Files per client.
const FILES: usize = 100;

/// Batches per client.
const BATCHES: usize = 4;

/// Files per client before the first fault. They show how sessions are spread.
const QUIET_FILES: usize = 20;

/// Limit for chi-square with nine degrees of freedom. A correct server exceeds it in about one of
/// 10^8 runs.
const CHI_SQUARE_LIMIT: f64 = 58.0;

/// The outcomes of all sessions.
#[derive(Default)]
struct Outcomes {
    verdicts: AtomicUsize,
    /// The node of each lost session.
    lost: Mutex<Vec<SocketAddr>>,
    /// Sessions per node before the first fault.
    spread: Mutex<BTreeMap<SocketAddr, u32>>,
    /// Clients that have scanned their first files.
    warmed_up: AtomicUsize,
}

impl Outcomes {
    fn count(&self, outcome: Result<Verdict, Error>) {
        match outcome {
            Ok(verdict) => {
                assert_eq!(verdict, Verdict::Allowed);
                self.verdicts.fetch_add(1, Ordering::SeqCst);
            }
            // A node that has returned has forgotten its sessions, and says so.
            Err(
                Error::NodeGone { session, .. }
                | Error::UnknownSession(session)
                | Error::BatchOnOtherNode { session, .. },
            ) => self.lost.lock().expect("no thread panics with the lock held").push(session.node),
            Err(error) => panic!("not a verdict and not the error of a dead node: {error}"),
        }
    }
}

/// Scans one file.
async fn scan_file(cluster: &Cluster, outcomes: &Outcomes, is_quiet: bool) -> Result<Verdict, Error> {
    let scan = cluster.scan(&mut Source::bytes("file", "harmless")).await?;
    if is_quiet {
        *outcomes.spread.lock().expect("no thread panics with the lock held").entry(scan.node()).or_default() += 1;
    }
    Ok(scan.result().await?.verdict)
}

/// Scans a batch of three files.
async fn scan_batch(cluster: &Cluster) -> Result<Verdict, Error> {
    let batch = cluster.open_batch().await?;
    for name in ["a", "b", "c"] {
        batch.send(&mut Source::bytes(name, "harmless")).await?;
    }
    let results = batch.close().await?.results().await?;
    assert_eq!(results.files.len(), 3);
    Ok(results.verdict.expect("a closed batch has a verdict"))
}

/// Drains or stops one node after the other until `is_over`; returns the nodes that died.
fn disturb(nodes: &mut Nodes, server: &Server, is_over: impl Fn() -> bool) -> BTreeSet<SocketAddr> {
    let mut died = BTreeSet::new();
    let mut rng = fastrand::Rng::with_seed(3);
    // The length of a fault, not a wait for a condition.
    let pause = |rng: &mut fastrand::Rng| std::thread::sleep(Duration::from_millis(rng.u64(50..300)));
    while !is_over() {
        let node = rng.u8(..NODES);
        if rng.bool() {
            let name = format!("core/core-{}", node + 1);
            run(server, &format!("drain {name}"));
            pause(&mut rng);
            run(server, &format!("resume {name}"));
        } else {
            died.insert((nodes.address(node), nodes.port).into());
            nodes.stop(node);
            pause(&mut rng);
            nodes.restart(node);
            nodes.set_faults(node, r#"{"scan_ms": 20}"#);
        }
        pause(&mut rng);
    }
    died
}

#[test]
fn sessions_end_in_a_verdict_or_name_a_dead_node() {
    let mut nodes = Nodes::start(NODES);
    (0..NODES).for_each(|node| nodes.set_faults(node, r#"{"scan_ms": 20}"#));
    let server = start_server(&nodes);
    let cluster = builder(&nodes, &server).build().expect("the options are valid");
    let outcomes = Outcomes::default();
    let died = std::thread::scope(|scope| {
        let clients = scope.spawn(|| {
            let runtime = Runtime::new().expect("threads can be started");
            let client = async |_| {
                for _ in 0..QUIET_FILES {
                    outcomes.count(scan_file(&cluster, &outcomes, true).await);
                }
                outcomes.warmed_up.fetch_add(1, Ordering::SeqCst);
                for i in QUIET_FILES..FILES {
                    outcomes.count(scan_file(&cluster, &outcomes, false).await);
                    if i % ((FILES - QUIET_FILES) / BATCHES) == 0 {
                        outcomes.count(scan_batch(&cluster).await);
                    }
                }
            };
            runtime.block_on(futures_util::future::join_all((0..CLIENTS).map(client)));
        });
        wait_until("all clients have scanned their first files", || {
            outcomes.warmed_up.load(Ordering::SeqCst) == CLIENTS || clients.is_finished()
        });
        let died = disturb(&mut nodes, &server, || clients.is_finished());
        clients.join().expect("no client panics");
        died
    });
    let lost = outcomes.lost.lock().expect("no thread panics with the lock held");
    assert!(!died.is_empty() && lost.iter().all(|node| died.contains(node)), "lost on {lost:?}, but {died:?} died");
    let verdicts = outcomes.verdicts.load(Ordering::SeqCst);
    assert_eq!(verdicts + lost.len(), CLIENTS * (FILES + BATCHES));
    assert!(lost.len() < verdicts / 10, "{} lost of {verdicts}", lost.len());
    assert_eq!(nodes.requests_at_wrong_node(), 0);
    let spread = outcomes.spread.lock().expect("no thread panics with the lock held");
    let expected = (CLIENTS * QUIET_FILES) as f64 / f64::from(NODES);
    let chi_square = chi_square(spread.values().map(|&count| (u64::from(count), expected)));
    assert!(spread.len() == usize::from(NODES) && chi_square < CHI_SQUARE_LIMIT, "{chi_square}: {spread:?}");
}
