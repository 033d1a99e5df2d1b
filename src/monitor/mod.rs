//! Monitors: what is checked of a node, how often, and one attempt of it, a probe.
//!
//! One file per kind holds its check (the configuration) and its probe. [`Prober`] prepares the probes of all
//! kinds. `outcome` tells a failure of the node from a fault of this machine; `stream` is what the kinds over
//! TCP share. The scheduler in [`crate::health`] decides when to probe.

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
    /// As in the configuration.
    pub name: Arc<str>,
    /// What a probe does.
    pub kind: MonitorKind,
    /// From the start of one probe to the start of the next.
    pub interval: Duration,
    /// Bounds a whole probe, from connecting to the last byte that is read.
    pub timeout: Duration,
    /// Good probes in a row that bring an address up, at least 1.
    pub rise: u32,
    /// Failed probes in a row that take it down, at least 1.
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
    /// A program and its exit code.
    Exec(Program),
    /// The line of an agent on the node.
    Agent(AgentCheck),
    /// An ICMP echo.
    Ping,
}
