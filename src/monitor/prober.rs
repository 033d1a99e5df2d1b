//! Prepares and runs probes of all kinds.

use std::net::{IpAddr, SocketAddr};
#[cfg(test)]
use std::sync::Arc;
use std::time::Duration;

use evenkeel_core::health::{ProbeFailure, ProbeNotRun};

use super::outcome::{ProbeError, ProbeOutcome, outcome};
#[cfg(test)]
use super::script::Script;
use super::{MonitorKind, agent, exec, http, icap, ping, tcp};

/// Prepares probes; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Prober {
    /// Replaces the network in tests.
    #[cfg(test)]
    pub(super) script: Option<Arc<Script>>,
}

impl Prober {
    /// Prepares a check of one address under a host name. If that is impossible, every run of the
    /// probe returns the reason.
    pub(crate) fn prepare(&self, kind: &MonitorKind, timeout: Duration, address: IpAddr, host: &str) -> Probe {
        #[cfg(test)]
        if let Some(script) = &self.script {
            return Probe { attempt: Attempt::Script(Arc::clone(script), address), timeout: Duration::MAX };
        }
        let at = |port| SocketAddr::new(address, port);
        let attempt = match kind {
            MonitorKind::Http(check) => {
                http::Probe::new(check, at(check.port), host).map(|probe| Attempt::Http(Box::new(probe)))
            }
            MonitorKind::Tcp(check) => tcp::Probe::new(check, at(check.port), host).map(Attempt::Tcp),
            MonitorKind::Icap(check) => Ok(Attempt::Icap(icap::Probe::new(check, at(check.port), host))),
            MonitorKind::Exec(program) => Ok(Attempt::Exec(exec::Probe::new(program, address, host))),
            MonitorKind::Agent(check) => Ok(Attempt::Agent(agent::Probe::new(check, at(check.port)))),
            MonitorKind::Ping => Ok(Attempt::Ping(ping::Probe::new(address))),
        };
        Probe { attempt: attempt.unwrap_or_else(Attempt::Impossible), timeout }
    }
}

/// A prepared check of one address, which can be run again and again.
pub struct Probe {
    attempt: Attempt,
    timeout: Duration,
}

enum Attempt {
    Http(Box<http::Probe>),
    Tcp(tcp::Probe),
    Icap(icap::Probe),
    Exec(exec::Probe),
    Agent(agent::Probe),
    Ping(ping::Probe),
    /// The probe could not be prepared, for this reason.
    Impossible(String),
    #[cfg(test)]
    Script(Arc<Script>, IpAddr),
}

impl Probe {
    /// Probes once, within the timeout.
    ///
    /// # Errors
    /// The probe did not run. It says nothing about the address.
    pub(crate) async fn run(&mut self) -> ProbeOutcome {
        let attempt = async {
            match &mut self.attempt {
                Attempt::Http(probe) => probe.run().await,
                Attempt::Tcp(probe) => probe.run().await,
                Attempt::Icap(probe) => probe.run().await,
                // Boxed because of its large buffers: the future of every target has the size of
                // the largest kind.
                Attempt::Exec(probe) => Box::pin(probe.run()).await,
                Attempt::Agent(probe) => probe.run().await,
                Attempt::Ping(probe) => probe.run().await,
                Attempt::Impossible(why) => Err(ProbeError::NotRun(ProbeNotRun(why.clone()))),
                #[cfg(test)]
                Attempt::Script(script, address) => script.run(*address).await.map_err(ProbeError::Failed),
            }
        };
        match tokio::time::timeout(self.timeout, attempt).await {
            Ok(attempted) => outcome(attempted),
            Err(_) => Ok(Err(ProbeFailure::Timeout(self.timeout))),
        }
    }
}
