//! Monitors: the configured checks of nodes, and the probes that make one attempt each.
//!
//! The scheduler in [`crate::health`] decides when to probe. It prepares a [`Probe`] per probe
//! target with the [`Prober`] and runs it repeatedly. [`crate::role_action`] uses a probe as a
//! request to a node. The outcome of a run is a result about the node, or the reason why this
//! machine could not probe.
//!
//! A monitor kind is one file (`http` is a folder) and consists of:
//!
//! - a check: what is configured, a variant of [`MonitorKind`]. `config/monitor_kinds.rs` reads its
//!   keys, `config/http_request.rs` those of `http`.
//! - a `Probe`: `new` prepares it for one address, `run` makes one attempt and judges the reply.
//! - its place in `Prober::prepare` and in `Probe::run`, which bounds each probe by the timeout.
//!
//! The kinds share `outcome`, which separates failures of the node from faults of this machine,
//! `stream`, which connects over TCP and TLS, and `pattern`, which compares regular expressions.

mod agent;
mod exec;
mod http;
mod icap;
mod outcome;
mod pattern;
mod ping;
#[cfg(test)]
pub(crate) mod script;
mod stream;
mod tcp;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_core::health::{ProbeFailure, ProbeNotRun};

use crate::program::Program;
pub use agent::AgentCheck;
pub use http::{BodyCondition, BusyCheck, HttpCheck, JsonCondition, JsonTest};
pub use icap::IcapCheck;
pub use outcome::ProbeOutcome;
use outcome::{ProbeError, outcome};
pub use pattern::Pattern;
#[cfg(test)]
use script::Script;
pub use tcp::TcpCheck;

/// A configured check.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    /// The name in the configuration.
    pub name: Arc<str>,
    /// What a probe does.
    pub kind: MonitorKind,
    /// From the start of one probe to the start of the next.
    pub interval: Duration,
    /// Bounds a whole probe, from connecting to the last byte that is read.
    pub timeout: Duration,
    /// Successes in a row that bring an address up, at least 1.
    pub rise: u32,
    /// Failures in a row that take an address down, at least 1.
    pub fall: u32,
}

/// What a monitor checks.
#[derive(Clone, Debug, PartialEq)]
pub enum MonitorKind {
    /// A request over HTTP or HTTPS.
    Http(Box<HttpCheck>),
    /// A TCP connection, with an optional exchange of one message each way.
    Tcp(TcpCheck),
    /// OPTIONS of an ICAP service.
    Icap(IcapCheck),
    /// The exit code of a program.
    Exec(Program),
    /// The line that an agent on the node sends.
    Agent(AgentCheck),
    /// An ICMP echo.
    Ping,
}

/// Prepares probes; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Prober {
    /// Replaces the network in tests.
    #[cfg(test)]
    script: Option<Arc<Script>>,
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
