//! Probes that take a given time and touch no network, for tests with a paused clock.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_core::health::{ProbeFailure, ProbeSuccess};
use tokio::time::Instant;

use super::Prober;

/// What probes do, and what was done.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// How long every probe takes.
    takes: Duration,
    /// Begin and end of every probe, by the order of their ends.
    pub(crate) probes: Mutex<Vec<(IpAddr, Instant, Instant)>>,
    /// Addresses whose probes fail.
    pub(crate) failing: Mutex<Vec<IpAddr>>,
    /// How much less than all of their weight nodes can carry, in percent.
    pub(crate) less: Mutex<u8>,
    under_way: Mutex<usize>,
    /// The most probes that were ever under way together.
    pub(crate) most_under_way: Mutex<usize>,
}

impl Script {
    pub(crate) fn taking(takes: Duration) -> Self {
        Self { takes, ..Self::default() }
    }

    pub(crate) fn prober(self: &Arc<Self>) -> Prober {
        Prober { script: Some(Arc::clone(self)) }
    }

    pub(super) async fn run(&self, address: IpAddr) -> Result<ProbeSuccess, ProbeFailure> {
        let began = Instant::now();
        {
            let _under_way = UnderWay::begin(self);
            tokio::time::sleep(self.takes).await;
        }
        self.probes.lock().unwrap().push((address, began, Instant::now()));
        let fails = self.failing.lock().unwrap().contains(&address);
        if fails {
            Err(ProbeFailure::Status(503))
        } else {
            Ok(ProbeSuccess { weight_percent: 100 - *self.less.lock().unwrap() })
        }
    }
}

/// Counts a probe, also one that is dropped on its way.
struct UnderWay<'s>(&'s Script);

impl<'s> UnderWay<'s> {
    fn begin(script: &'s Script) -> Self {
        let mut under_way = script.under_way.lock().unwrap();
        *under_way += 1;
        let mut most = script.most_under_way.lock().unwrap();
        *most = (*most).max(*under_way);
        Self(script)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        *self.0.under_way.lock().unwrap() -= 1;
    }
}
