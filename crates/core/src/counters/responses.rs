//! The totals of one protocol, as the API shows them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::worker::{CounterCells, LATENCY_STEPS};
use crate::message::Rcode;

/// The protocol of a query.
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
    /// All protocols.
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

/// Responses over one protocol.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Responses {
    /// Responses by rcode, without rcodes that have none.
    pub rcodes: BTreeMap<String, u64>,
    /// Packets that get no response, for example because they are responses themselves.
    pub ignored: u64,
    /// Responses that could not be sent. Only counted over UDP.
    pub unsent: u64,
    /// Queries that get no answer, because their clients are over the rate limit.
    pub rate_limited: u64,
    /// Responses with TC set: the client asks again over TCP.
    pub truncated: u64,
    /// Responses of the slow path.
    pub slow_path: u64,
    /// Some of the responses, by the time that they took.
    pub latency: Vec<LatencyStep>,
}

/// The upper bound of a latency.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LatencyBound {
    /// At most this many microseconds.
    UpTo(u64),
    /// In the last step, which has no bound.
    AboveLastStep,
}

/// The number of responses in one range of times.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct LatencyStep {
    /// The longest time of the range in microseconds, from receiving a batch of packets to having
    /// sent its last response. The last range has no bound.
    pub up_to_us: Option<u64>,
    /// Responses in this range.
    pub responses: u64,
}

impl Responses {
    /// Number of responses.
    pub fn total(&self) -> u64 {
        self.rcodes.values().sum()
    }

    /// A percentile of the latency, rounded up to the bound of its step. `None` if no latency was
    /// measured.
    pub fn latency_percentile(&self, percent: u64) -> Option<LatencyBound> {
        let all: u64 = self.latency.iter().map(|step| step.responses).sum();
        let mut within = 0;
        let reaches_percentile = |step: &&LatencyStep| {
            within += step.responses;
            within * 100 >= all * percent
        };
        let step = self.latency.iter().filter(|_| all > 0).find(reaches_percentile)?;
        Some(step.up_to_us.map_or(LatencyBound::AboveLastStep, LatencyBound::UpTo))
    }

    /// Adds the counters of a worker.
    pub(super) fn add(&mut self, cells: &CounterCells) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        for rcode in Rcode::ALL {
            let responses = read(&cells.rcodes[rcode as usize]);
            if responses > 0 {
                *self.rcodes.entry(rcode.to_string()).or_default() += responses;
            }
        }
        self.ignored += read(&cells.ignored);
        self.unsent += read(&cells.unsent);
        self.rate_limited += read(&cells.rate_limited);
        self.truncated += read(&cells.truncated);
        self.slow_path += read(&cells.slow_path);
        let up_to_us = |step: usize| (step + 1 < LATENCY_STEPS).then(|| 1 << step);
        if self.latency.is_empty() {
            self.latency =
                (0..LATENCY_STEPS).map(|step| LatencyStep { up_to_us: up_to_us(step), responses: 0 }).collect();
        }
        for (step, count) in self.latency.iter_mut().zip(&cells.latency) {
            step.responses += read(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::counters::Counters;

    #[test]
    fn latency_has_steps_of_powers_of_two() {
        let counters = Counters::default();
        let worker = counters.worker(Protocol::Udp);
        for (nanos, responses) in [(0, 1), (1000, 1), (1001, 2), (2000, 2), (4000, 4), (1_000_000_000, 8)] {
            worker.count_latency(Duration::from_nanos(nanos), responses);
        }
        let udp = &counters.totals().responses[&Protocol::Udp];
        let percentiles = [11, 33, 55, 56, 100].map(|percent| udp.latency_percentile(percent).unwrap());
        let (up_to, above) = (LatencyBound::UpTo, LatencyBound::AboveLastStep);
        assert_eq!(percentiles, [up_to(1), up_to(2), up_to(4), above, above]);
        assert_eq!(Responses::default().latency_percentile(99), None);
        let counted = udp.latency.iter().filter(|step| step.responses > 0);
        let counted: Vec<_> = counted.map(|step| (step.up_to_us, step.responses)).collect();
        assert_eq!(counted, [(Some(1), 2), (Some(2), 4), (Some(4), 4), (None, 8)]);
    }
}
