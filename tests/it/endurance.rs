//! Many clients for a while: nodes are drained, die and return, and every session ends in a verdict or in an error that
//! names a node which really died.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use evenkeel_client::{Cluster, Error, Source, Verdict};
use tokio::runtime::Runtime;

use crate::support::nodes::Nodes;
use crate::support::operator::done;
use crate::support::server::Server;
use crate::support::session::{cluster, serve};
use crate::support::wait_until;

const NODES: u8 = 10;
const CLIENTS: usize = 50;
/// For each client.
const FILES: usize = 100;
const BATCHES: usize = 4;
/// Before anything happens to the nodes, to see how sessions are spread.
const QUIET: usize = 20;

/// A sum of squares above this is seen once in a hundred million times with nine degrees of freedom.
const CRITICAL: f64 = 58.0;

/// What came of the sessions.
#[derive(Default)]
struct Tally {
    verdicts: AtomicUsize,
    /// Nodes that sessions were lost with.
    lost: Mutex<Vec<SocketAddr>>,
    /// Sessions that each node took in the quiet time.
    spread: Mutex<BTreeMap<SocketAddr, u32>>,
    quiet: AtomicUsize,
}

impl Tally {
    fn count(&self, outcome: Result<Verdict, Error>) {
        match outcome {
            Ok(verdict) => {
                assert_eq!(verdict, Verdict::Allowed);
                self.verdicts.fetch_add(1, Ordering::SeqCst);
            }
            // A node that came back has forgotten its sessions, and says so.
            Err(
                Error::NodeGone { session, .. }
                | Error::UnknownSession(session)
                | Error::BatchOnOtherNode { session, .. },
            ) => self.lost.lock().expect("no panic").push(session.node),
            Err(error) => panic!("neither a verdict nor a node that died: {error}"),
        }
    }
}

async fn one_file(cluster: &Cluster, tally: &Tally, is_quiet: bool) -> Result<Verdict, Error> {
    let scan = cluster.scan(&mut Source::bytes("file", "harmless")).await?;
    if is_quiet {
        *tally.spread.lock().expect("no panic").entry(scan.node()).or_default() += 1;
    }
    Ok(scan.result().await?.verdict)
}

async fn one_batch(cluster: &Cluster) -> Result<Verdict, Error> {
    let batch = cluster.open_batch().await?;
    for name in ["a", "b", "c"] {
        batch.send(&mut Source::bytes(name, "harmless")).await?;
    }
    let results = batch.close().await?.results().await?;
    assert_eq!(results.files.len(), 3);
    Ok(results.verdict.expect("a closed batch has a verdict"))
}

/// Does something to one node after the other until it is over; gives those that died.
fn trouble(nodes: &mut Nodes, server: &Server, is_over: impl Fn() -> bool) -> BTreeSet<SocketAddr> {
    let mut died = BTreeSet::new();
    let mut rng = fastrand::Rng::with_seed(3);
    let pause = |rng: &mut fastrand::Rng| std::thread::sleep(Duration::from_millis(rng.u64(50..300)));
    while !is_over() {
        let node = rng.u8(..NODES);
        if rng.bool() {
            let name = format!("core/core-{}", node + 1);
            done(server, &format!("drain {name}"));
            pause(&mut rng);
            done(server, &format!("resume {name}"));
        } else {
            died.insert((nodes.address(node), nodes.port).into());
            nodes.kill(node);
            pause(&mut rng);
            nodes.revive(node);
            nodes.fake(node, "{\"scan_ms\": 20}");
        }
        pause(&mut rng);
    }
    died
}

#[test]
fn sessions_end_in_a_verdict_or_name_a_node_that_died() {
    let mut nodes = Nodes::start(NODES);
    (0..NODES).for_each(|node| nodes.fake(node, "{\"scan_ms\": 20}"));
    let server = serve(&nodes);
    let cluster = cluster(&nodes, &server).deadline(Duration::from_secs(20)).build().expect("a cluster");
    let tally = Tally::default();
    let died = std::thread::scope(|scope| {
        let clients = scope.spawn(|| {
            let runtime = Runtime::new().expect("a runtime");
            let client = async |_| {
                for _ in 0..QUIET {
                    tally.count(one_file(&cluster, &tally, true).await);
                }
                tally.quiet.fetch_add(1, Ordering::SeqCst);
                for i in QUIET..FILES {
                    tally.count(one_file(&cluster, &tally, false).await);
                    if i % ((FILES - QUIET) / BATCHES) == 0 {
                        tally.count(one_batch(&cluster).await);
                    }
                }
            };
            runtime.block_on(futures_util::future::join_all((0..CLIENTS).map(client)));
        });
        wait_until("the quiet time is over", || tally.quiet.load(Ordering::SeqCst) == CLIENTS || clients.is_finished());
        let died = trouble(&mut nodes, &server, || clients.is_finished());
        clients.join().expect("every session ends as it should");
        died
    });
    let lost = tally.lost.lock().expect("no panic");
    assert!(!died.is_empty() && lost.iter().all(|node| died.contains(node)), "lost with {lost:?}, died {died:?}");
    let verdicts = tally.verdicts.load(Ordering::SeqCst);
    assert_eq!(verdicts + lost.len(), CLIENTS * (FILES + BATCHES));
    assert!(lost.len() < verdicts / 10, "{} lost of {verdicts}", lost.len());
    assert_eq!(nodes.wrong(), 0);
    let spread = tally.spread.lock().expect("no panic");
    let should = (CLIENTS * QUIET) as f64 / f64::from(NODES);
    let chi_square: f64 = spread.values().map(|&count| (f64::from(count) - should).powi(2) / should).sum();
    assert!(spread.len() == usize::from(NODES) && chi_square < CRITICAL, "{chi_square}: {spread:?}");
}
