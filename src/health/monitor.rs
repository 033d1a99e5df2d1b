//! What is checked, and how often.

use std::sync::Arc;
use std::time::Duration;

use regex::bytes::Regex;

use super::http_check::HttpCheck;
use crate::program::Program;
use crate::tls::TlsClient;

/// A configured check.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    /// As in the configuration.
    pub name: Arc<str>,
    /// What a probe does.
    pub kind: Kind,
    /// From the start of one probe to the start of the next.
    pub interval: Duration,
    /// For the whole probe, from connecting to the last byte that is read.
    pub timeout: Duration,
    /// Passes in a row that bring an address up.
    pub rise: u32,
    /// Failures in a row that take it down.
    pub fall: u32,
}

/// The kinds of check.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A request over HTTP or HTTPS.
    Http(Box<HttpCheck>),
    /// A connection, perhaps with a word each way.
    Tcp(TcpCheck),
    /// OPTIONS of an ICAP service.
    Icap(IcapCheck),
    /// A program.
    Exec(Program),
    /// The line that an agent on the node says of it.
    Agent(AgentCheck),
    /// An ICMP echo.
    Ping,
}

/// What a TCP probe sends and expects.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpCheck {
    /// TCP port.
    pub port: u16,
    /// Spoken over TLS.
    pub tls: Option<TlsClient>,
    /// Sent once connected.
    pub send: Vec<u8>,
    /// What the reply must match; without it, being connected is enough.
    pub expect: Option<Pattern>,
}

/// What an ICAP probe asks (RFC 3507 §4.10).
#[derive(Clone, Debug, PartialEq)]
pub struct IcapCheck {
    /// TCP port.
    pub port: u16,
    /// Path of the service, without a leading slash.
    pub service: String,
    /// A method that the service must offer.
    pub method: Option<String>,
}

/// Where the agent listens (HAProxy's agent-check).
#[derive(Clone, Debug, PartialEq)]
pub struct AgentCheck {
    /// TCP port.
    pub port: u16,
    /// Sent once connected.
    pub send: Vec<u8>,
}

/// A regular expression that is equal to another of the same text.
#[derive(Clone, Debug)]
pub struct Pattern(pub Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}
