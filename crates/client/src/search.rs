//! The search for a node that takes a session: one address after the other, and the name again when all were passed over.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::backoff::{Backoff, end_of};
use super::error::{Error, Tried};
use super::options::Options;
use super::pin::Pin;
use super::resolve::Unresolved;

/// First and longest wait before the name is resolved again, when no node has taken a session.
const WAITS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// A search, bounded by the cluster's deadline.
pub(super) struct Search<'c> {
    options: &'c Arc<Options>,
    until: Instant,
    backoff: Backoff,
    /// Nodes that are taken when there is no other one.
    last: Vec<SocketAddr>,
    /// Addresses of the last answer that have yet to be tried; none before the first.
    untried: Option<Vec<IpAddr>>,
    /// Those of it that were passed over.
    tried: Tried,
    is_busy: bool,
    /// Whether one of them may take the session in a moment.
    is_hopeful: bool,
}

/// Why a node was passed over.
pub(super) enum Passed {
    /// It cannot be reached.
    Dead(String),
    /// It has too much to do.
    Busy(String),
    /// It is somebody else: its certificate is not for the shared name, or nobody vouches for it.
    Stranger(String),
}

impl<'c> Search<'c> {
    /// A search that takes the nodes in `last` only if no other one takes the session.
    pub(super) fn of(options: &'c Arc<Options>, last: &[SocketAddr]) -> Self {
        let until = end_of(options.deadline);
        Self {
            options,
            until,
            backoff: Backoff::until(until, WAITS),
            last: last.to_owned(),
            untried: None,
            tried: Tried::new(),
            is_busy: false,
            is_hopeful: false,
        }
    }

    /// Passes a node over.
    pub(super) fn pass_over(&mut self, node: SocketAddr, passed: Passed) {
        self.is_hopeful |= !matches!(passed, Passed::Stranger(_));
        self.is_busy |= matches!(passed, Passed::Busy(_));
        let (Passed::Dead(why) | Passed::Busy(why) | Passed::Stranger(why)) = passed;
        self.tried.push((node, why));
    }

    /// The next node that takes connections.
    ///
    /// # Errors
    /// The deadline is over, or nothing but strangers is there; what was tried last is told.
    pub(super) async fn next(&mut self) -> Result<Pin, Error> {
        loop {
            while let Some(address) = self.untried.as_mut().and_then(Vec::pop) {
                let node = SocketAddr::new(address, self.options.port);
                match self.connect(node).await {
                    Ok(()) => return Pin::to(node, self.options, None),
                    Err(why) => self.pass_over(node, Passed::Dead(why)),
                }
            }
            if self.untried.is_some() && (!self.is_hopeful || !self.backoff.wait().await) {
                return Err(self.failure());
            }
            match self.resolve().await {
                Ok(addresses) => {
                    self.untried = Some(addresses);
                    self.tried.clear();
                    (self.is_busy, self.is_hopeful) = (false, false);
                }
                Err(Unresolved { is_final: false, .. }) if self.is_over() && !self.tried.is_empty() => {
                    return Err(self.failure());
                }
                Err(Unresolved { why, is_final }) => {
                    self.untried = None;
                    if is_final || self.is_over() || !self.backoff.wait().await {
                        return Err(Error::Resolve { name: self.options.host.clone(), why });
                    }
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    fn failure(&mut self) -> Error {
        let (name, tried) = (self.options.host.clone(), std::mem::take(&mut self.tried));
        if self.is_busy { Error::Busy { name, tried } } else { Error::NoNode { name, tried } }
    }

    /// The addresses of the name, in random order, and those of the last nodes first: they are taken from the end.
    async fn resolve(&self) -> Result<Vec<IpAddr>, Unresolved> {
        let name = &self.options.host;
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let late = || Unresolved { why: "no answer before the deadline".to_owned(), is_final: false };
        let asked = timeout_at(self.until, self.options.resolver.addresses(name)).await;
        let mut addresses = asked.unwrap_or_else(|_| Err(late()))?;
        // Stable: the others stay in their random order.
        addresses.sort_by_key(|&address| !self.last.contains(&SocketAddr::new(address, self.options.port)));
        Ok(addresses)
    }

    /// Whether a node takes connections; nothing is sent.
    async fn connect(&self, node: SocketAddr) -> Result<(), String> {
        let until = end_of(self.options.connect_timeout).min(self.until);
        match timeout_at(until, TcpStream::connect(node)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) if until == self.until => Err("no connection before the deadline".to_owned()),
            Err(_) => Err(format!("no connection within {:?}", self.options.connect_timeout)),
        }
    }
}
