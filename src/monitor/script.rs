//! Scripted probes for tests with a paused clock: they take a given time and use no network.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_core::health::{ProbeFailure, ProbeSuccess};
use tokio::time::Instant;

use super::Prober;

/// What probes do, and a record of the probes that ran.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// The duration of every probe.
    duration: Duration,
    /// Begin and end of every probe, in the order of their ends.
    pub(crate) probes: Mutex<Vec<(IpAddr, Instant, Instant)>>,
    /// Addresses whose probes fail.
    pub(crate) failing: Mutex<Vec<IpAddr>>,
    in_flight: Mutex<usize>,
    /// The most probes that were in flight at the same time.
    pub(crate) max_in_flight: Mutex<usize>,
}

impl Script {
    pub(crate) fn with_duration(duration: Duration) -> Self {
        Self { duration, ..Self::default() }
    }

    pub(crate) fn prober(self: &Arc<Self>) -> Prober {
        Prober { script: Some(Arc::clone(self)) }
    }

    pub(super) async fn run(&self, address: IpAddr) -> Result<ProbeSuccess, ProbeFailure> {
        let began = Instant::now();
        {
            let _guard = InFlight::begin(self);
            tokio::time::sleep(self.duration).await;
        }
        self.probes.lock().unwrap().push((address, began, Instant::now()));
        let fails = self.failing.lock().unwrap().contains(&address);
        if fails { Err(ProbeFailure::Status(503)) } else { Ok(ProbeSuccess::FULL_WEIGHT) }
    }
}

/// Counts a probe until it ends or is dropped.
struct InFlight<'s>(&'s Script);

impl<'s> InFlight<'s> {
    fn begin(script: &'s Script) -> Self {
        let mut in_flight = script.in_flight.lock().unwrap();
        *in_flight += 1;
        let mut max_in_flight = script.max_in_flight.lock().unwrap();
        *max_in_flight = (*max_in_flight).max(*in_flight);
        Self(script)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        *self.0.in_flight.lock().unwrap() -= 1;
    }
}
