//! The counters of all workers since the start of the process, and their totals.
//!
//! The endpoints take counters for their workers, the configuration reader takes numbers for its
//! nodes, and the admin service reads totals.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::responses::{Protocol, Responses};
use super::worker::{CounterCells, WorkerCounters};
use crate::pool::Pool;

/// The counters of all workers.
#[derive(Debug, Default)]
pub struct Counters(Mutex<Shared>);

/// The part of the counters that only changes if workers or nodes are new.
#[derive(Debug, Default)]
struct Shared {
    /// The counters of all workers since the start. Counters without a [`WorkerCounters`] are for
    /// the next worker of their protocol.
    cells: Vec<(Protocol, Arc<CounterCells>)>,
    /// The numbers of all nodes since the start, by `pool/node`, and of each pool's fallback, by
    /// the name of the pool. Each number takes eight bytes per worker.
    numbers: HashMap<String, u32>,
}

/// The number under which each node of a configuration is counted.
///
/// A node keeps its number while the process runs, even across reloads.
#[derive(Debug, Default)]
pub struct NodeNumbers(Box<[Box<[u32]>]>);

impl NodeNumbers {
    /// The numbers of a pool's nodes, in their order, and the number of its fallback.
    pub(crate) fn of(&self, pool: usize) -> &[u32] {
        self.0.get(pool).map_or(&[], |numbers| numbers)
    }
}

/// The totals of all workers.
#[derive(Debug, Default)]
pub struct CounterTotals {
    /// Responses since the start, per protocol that has had an endpoint.
    pub responses: BTreeMap<Protocol, Responses>,
    /// Records with an address of a node, by `pool/node`, or of a pool's fallback, by the name of
    /// the pool.
    pub records: HashMap<String, u64>,
}

impl Counters {
    /// Locks the list of workers and the numbers of nodes.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        // No panic leaves the vector or the map half changed, so lock poisoning is ignored.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counters for a new worker. If a worker of the protocol has ended, its counters are
    /// continued.
    pub fn worker(&self, protocol: Protocol) -> WorkerCounters {
        let all = &mut self.lock().cells;
        // `get_mut` also synchronizes with the previous writer, whose counts are visible then.
        let free = all.iter_mut().position(|(of, cells)| *of == protocol && Arc::get_mut(cells).is_some());
        let index = free.unwrap_or_else(|| {
            all.push((protocol, Arc::default()));
            all.len() - 1
        });
        WorkerCounters::new(Arc::clone(&all[index].1))
    }

    /// Numbers for the nodes of a configuration.
    pub fn node_numbers<'p>(&self, pools: impl IntoIterator<Item = &'p Pool>) -> NodeNumbers {
        let numbers = &mut self.lock().numbers;
        let mut number = |name: String| {
            let next = numbers.len() as u32;
            *numbers.entry(name).or_insert(next)
        };
        let of_pool = |pool: &Pool| {
            let nodes = pool.nodes.iter().map(|node| String::from(pool.id_of(&node.name)));
            nodes.chain([pool.name.to_string()]).map(&mut number).collect()
        };
        NodeNumbers(pools.into_iter().map(of_pool).collect())
    }

    /// The totals up to now.
    pub fn totals(&self) -> CounterTotals {
        let shared = self.lock();
        let mut totals = CounterTotals::default();
        let mut by_number = vec![0; shared.numbers.len()];
        for (protocol, cells) in &shared.cells {
            totals.responses.entry(*protocol).or_default().add(cells);
            for (total, count) in by_number.iter_mut().zip(cells.nodes.load().iter()) {
                *total += count.load(Ordering::Relaxed);
            }
        }
        let records = shared.numbers.iter().map(|(name, &number)| (name.clone(), by_number[number as usize]));
        totals.records = records.filter(|(_, records)| *records > 0).collect();
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Rcode;
    use crate::pool::{Node, Role};

    fn pool(name: &str, nodes: &[&str]) -> Pool {
        let node = |name: &&str| Node {
            name: (*name).into(),
            addresses: vec![[192, 0, 2, 1].into()],
            weight: 1,
            role: Role::Active,
        };
        Pool::with_defaults(name, nodes.iter().map(node).collect())
    }

    #[test]
    fn nodes_keep_their_numbers_across_reloads() {
        let counters = Counters::default();
        let before = counters.node_numbers(&[pool("a", &["1", "2"]), pool("b", &["1"])]);
        let mut worker = counters.worker(Protocol::Udp);
        before.of(0).iter().chain(before.of(1)).for_each(|&number| worker.count_record(number));
        let after = counters.node_numbers(&[pool("b", &["0", "1"]), pool("a", &["2"])]);
        assert_eq!((after.of(0)[1], after.of(1)[0]), (before.of(1)[0], before.of(0)[1]));
        after.of(0).iter().for_each(|&number| worker.count_record(number));
        let records = counters.totals().records;
        let expected = [("a/1", 1), ("a/2", 1), ("a", 1), ("b/0", 1), ("b/1", 2), ("b", 2)];
        assert_eq!(records, expected.map(|(name, count)| (name.to_owned(), count)).into());
    }

    #[test]
    fn a_new_worker_continues_the_counters_of_a_worker_that_has_ended() {
        let counters = Counters::default();
        let one = counters.worker(Protocol::Udp);
        let other = counters.worker(Protocol::Udp);
        one.count_response(Rcode::NoError, false);
        other.count_response(Rcode::NxDomain, true);
        drop(one);
        let next = counters.worker(Protocol::Udp);
        next.count_response(Rcode::NoError, false);
        drop(counters.worker(Protocol::Tcp));
        assert_eq!(counters.lock().cells.len(), 3);
        let udp = &counters.totals().responses[&Protocol::Udp];
        assert_eq!((udp.rcodes["NOERROR"], udp.rcodes["NXDOMAIN"], udp.truncated, udp.total()), (2, 1, 1, 3));
    }

    #[test]
    fn every_rcode_is_counted_under_its_own_name() {
        let counters = Counters::default();
        let worker = counters.worker(Protocol::Udp);
        Rcode::ALL.into_iter().for_each(|rcode| worker.count_response(rcode, false));
        let rcodes = &counters.totals().responses[&Protocol::Udp].rcodes;
        assert!(rcodes.len() == Rcode::ALL.len() && rcodes.values().all(|responses| *responses == 1), "{rcodes:?}");
    }
}
