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
//! - its place in `prober`, which prepares the probes of all kinds and bounds each by the timeout.
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
mod prober;
#[cfg(test)]
pub(crate) mod script;
mod stream;
mod tcp;

use std::sync::Arc;
use std::time::Duration;

use crate::program::Program;
pub use agent::AgentCheck;
pub use http::{BodyCondition, BusyCheck, HttpCheck, JsonCondition, JsonTest};
pub use icap::IcapCheck;
pub use outcome::ProbeOutcome;
pub use pattern::Pattern;
pub use prober::{Probe, Prober};
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
