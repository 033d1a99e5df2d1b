//! What is checked, and how often.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::Regex;
use reqwest::header::HeaderMap;

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
    /// GET over plain HTTP.
    Http(HttpCheck),
}

/// What an HTTP probe asks and expects.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpCheck {
    /// TCP port.
    pub port: u16,
    /// Path and query, beginning with `/`.
    pub path: String,
    /// Status codes that pass.
    pub status: Vec<RangeInclusive<u16>>,
    /// What the body must hold besides.
    pub body: Option<BodyCondition>,
    /// Bytes of the body that are read.
    pub body_limit: usize,
    /// Sent with every probe, besides Host.
    pub headers: HeaderMap,
    /// Use one connection for many probes instead of a fresh one for each.
    pub keep_alive: bool,
}

/// What a body must hold.
#[derive(Clone, Debug)]
pub enum BodyCondition {
    /// These bytes somewhere.
    Contains(Vec<u8>),
    /// A match somewhere.
    Matches(Regex),
}

impl PartialEq for BodyCondition {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Contains(a), Self::Contains(b)) => a == b,
            (Self::Matches(a), Self::Matches(b)) => a.as_str() == b.as_str(),
            _ => false,
        }
    }
}
