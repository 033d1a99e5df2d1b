//! What all workers together have answered since the server began, for whoever asks.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::worker::{CounterCells, LATENCY_STEPS, WorkerCounters};
use crate::message::Rcode;
use crate::pool::Pool;

/// How questions come.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names of the transports")]
pub enum Protocol {
    Udp,
    Tcp,
    Tls,
    Https,
    Quic,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Tls, Self::Https, Self::Quic];
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Https => "HTTPS",
            Self::Quic => "QUIC",
        })
    }
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Counters(Mutex<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Of every worker that ever was. One without a [`WorkerCounters`] waits for the next worker of its protocol.
    counts: Vec<(Protocol, Arc<CounterCells>)>,
    /// Of every node that ever was, `pool/node`; the fallback of a pool stands under the pool's name. As many numbers as
    /// configurations have brought names, and eight bytes for each in every worker.
    numbers: HashMap<String, u32>,
}

/// Under which number each node is counted: the same for as long as the process lives.
#[derive(Debug, Default)]
pub struct NodeNumbers(Box<[Box<[u32]>]>);

impl NodeNumbers {
    /// Those of a pool's nodes in their order, then that of its fallback.
    pub(crate) fn of(&self, pool: usize) -> &[u32] {
        self.0.get(pool).map_or(&[], |numbers| numbers)
    }
}

/// What was counted.
#[derive(Debug, Default)]
pub struct CounterTotals {
    /// Of protocols that were ever listened on.
    pub answers: BTreeMap<Protocol, Responses>,
    /// Records with an address of each node, `pool/node`, or of a pool's fallback.
    pub records: HashMap<String, u64>,
}

/// Responses over one protocol.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Responses {
    /// Responses by their code, those that occurred.
    pub rcodes: BTreeMap<String, u64>,
    /// Packets that may not be answered, such as responses.
    pub ignored: u64,
    /// Responses with TC set: the client comes back over TCP.
    pub truncated: u64,
    /// Responses that took the general path, not the fast one.
    pub slow_path: u64,
    /// Some of the responses, by the time that they took.
    pub latency: Vec<LatencyStep>,
}

/// How many of some responses took so long, and not less.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct LatencyStep {
    /// Microseconds from taking the packets of a batch to having sent the responses; without, longer than the one before.
    pub up_to_us: Option<u64>,
    /// Responses in this step.
    pub responses: u64,
}

impl Counters {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Nothing in there can be half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// NodeNumbers for a worker that begins; those of one that has ended go on.
    pub fn worker(&self, protocol: Protocol) -> WorkerCounters {
        let counts = &mut self.lock().counts;
        // `get_mut` also sees to it that everything its last writer wrote is seen.
        let free = counts.iter_mut().position(|(of, counts)| *of == protocol && Arc::get_mut(counts).is_some());
        let place = free.unwrap_or_else(|| {
            counts.push((protocol, Arc::default()));
            counts.len() - 1
        });
        WorkerCounters::on(Arc::clone(&counts[place].1))
    }

    /// NodeNumbers for the nodes of a configuration.
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

    /// What was counted until now.
    pub fn totals(&self) -> CounterTotals {
        let shared = self.lock();
        let mut totals = CounterTotals::default();
        let mut by_number = vec![0; shared.numbers.len()];
        for (protocol, counts) in &shared.counts {
            totals.answers.entry(*protocol).or_default().add(counts);
            for (total, count) in by_number.iter_mut().zip(counts.nodes.load().iter()) {
                *total += count.load(Ordering::Relaxed);
            }
        }
        let records = shared.numbers.iter().map(|(name, &number)| (name.clone(), by_number[number as usize]));
        totals.records = records.filter(|(_, records)| *records > 0).collect();
        totals
    }
}

impl Responses {
    /// All responses.
    pub fn responses(&self) -> u64 {
        self.rcodes.values().sum()
    }

    /// The time within which so many percent of those were sent whose time was taken, in microseconds; the inner `None`
    /// is longer than any that is told apart, the outer one that none was taken.
    pub fn latency_of(&self, percent: u64) -> Option<Option<u64>> {
        let all: u64 = self.latency.iter().map(|time| time.responses).sum();
        let mut within = 0;
        let reaches = |time: &&LatencyStep| {
            within += time.responses;
            within * 100 >= all * percent
        };
        if all == 0 { None } else { self.latency.iter().find(reaches).map(|time| time.up_to_us) }
    }

    fn add(&mut self, counts: &CounterCells) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        for rcode in Rcode::ALL {
            let responses = read(&counts.rcodes[rcode as usize]);
            if responses > 0 {
                *self.rcodes.entry(rcode.to_string()).or_default() += responses;
            }
        }
        self.ignored += read(&counts.ignored);
        self.truncated += read(&counts.truncated);
        self.slow_path += read(&counts.slow_path);
        let up_to_us = |place: usize| (place + 1 < LATENCY_STEPS).then(|| 1 << place);
        if self.latency.is_empty() {
            self.latency =
                (0..LATENCY_STEPS).map(|place| LatencyStep { up_to_us: up_to_us(place), responses: 0 }).collect();
        }
        for (time, count) in self.latency.iter_mut().zip(&counts.latency) {
            time.responses += read(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
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
    fn a_worker_that_ends_leaves_its_numbers_to_the_next() {
        let counters = Counters::default();
        let one = counters.worker(Protocol::Udp);
        let other = counters.worker(Protocol::Udp);
        one.count_response(Rcode::NoError, false);
        other.count_response(Rcode::NxDomain, true);
        drop(one);
        let next = counters.worker(Protocol::Udp);
        next.count_response(Rcode::NoError, false);
        drop(counters.worker(Protocol::Tcp));
        assert_eq!(counters.lock().counts.len(), 3);
        let udp = &counters.totals().answers[&Protocol::Udp];
        assert_eq!((udp.rcodes["NOERROR"], udp.rcodes["NXDOMAIN"], udp.truncated, udp.responses()), (2, 1, 1, 3));
    }

    #[test]
    fn every_code_is_told() {
        let counters = Counters::default();
        let worker = counters.worker(Protocol::Udp);
        // Written out by `Display`, which knows each of them.
        Rcode::ALL.into_iter().for_each(|rcode| worker.count_response(rcode, false));
        let rcodes = &counters.totals().answers[&Protocol::Udp].rcodes;
        assert!(rcodes.len() == Rcode::ALL.len() && rcodes.values().all(|responses| *responses == 1), "{rcodes:?}");
    }

    #[test]
    fn times_are_counted_by_powers_of_two() {
        let counters = Counters::default();
        let worker = counters.worker(Protocol::Udp);
        for (nanos, responses) in [(0, 1), (1000, 1), (1001, 2), (2000, 2), (4000, 4), (1_000_000_000, 8)] {
            worker.count_latency(Duration::from_nanos(nanos), responses);
        }
        let times = &counters.totals().answers[&Protocol::Udp].latency;
        let answers = &counters.totals().answers[&Protocol::Udp];
        let reached = [11, 33, 55, 56, 100].map(|percent| answers.latency_of(percent));
        assert_eq!(reached, [Some(Some(1)), Some(Some(2)), Some(Some(4)), Some(None), Some(None)]);
        assert_eq!(Responses::default().latency_of(99), None);
        let counted: Vec<_> = times.iter().filter(|time| time.responses > 0).collect();
        let counted: Vec<_> = counted.iter().map(|time| (time.up_to_us, time.responses)).collect();
        assert_eq!(counted, [(Some(1), 2), (Some(2), 4), (Some(4), 4), (None, 8)]);
    }
}
