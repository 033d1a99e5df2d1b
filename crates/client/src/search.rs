//! The search for a node that accepts a session.
//!
//! ```text
//!            ┌──────── all skipped: wait, at most until the deadline ────────┐
//!            ▼                                                               │
//!  resolve the name ──► shuffle ──► connect to the next address ──► pin ──► start the session
//!                                        ▲   │ unreachable           │ busy, wrong certificate
//!                                        └───┴────────── skip ◄──────┘
//! ```
//!
//! [`Cluster`](crate::Cluster) drives it, and reports nodes that refuse a session with
//! [`NodeSearch::skip`]. It fails if the name cannot be resolved, or if every address was skipped
//! and no time is left.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::backoff::{Backoff, Delays, deadline_in};
use crate::error::Error;
use crate::options::Options;
use crate::pin::Pin;
use crate::resolve::ResolveError;
use crate::skip::{SkipReason, SkippedNode};

/// Delays before the name is resolved again, after all addresses were skipped.
const ROUND_DELAYS: Delays = Delays::millis(200, 5000);

/// A search, bounded by the deadline of the cluster.
pub(crate) struct NodeSearch<'c> {
    options: &'c Arc<Options>,
    deadline: Instant,
    backoff: Backoff,
    /// Nodes that are tried after all others.
    avoid: Vec<SocketAddr>,
    /// Addresses of this round that are still to be tried, taken from the end; none before the
    /// first round.
    untried: Option<Vec<IpAddr>>,
    /// Addresses of this round that were skipped.
    skipped: Vec<SkippedNode>,
}

impl<'c> NodeSearch<'c> {
    /// A search that tries the nodes in `avoid` after all others.
    pub(crate) fn new(options: &'c Arc<Options>, avoid: &[SocketAddr]) -> Self {
        let deadline = deadline_in(options.deadline);
        let backoff = Backoff::until(deadline, ROUND_DELAYS);
        Self { options, deadline, backoff, avoid: avoid.to_owned(), untried: None, skipped: Vec::new() }
    }

    /// Skips a node for the rest of this round.
    pub(crate) fn skip(&mut self, node: SocketAddr, reason: SkipReason) {
        self.skipped.push(SkippedNode { node, reason });
    }

    /// The next node that accepts connections.
    ///
    /// # Errors
    /// The name cannot be resolved, or all nodes were skipped, until the deadline. A round in which
    /// all certificates were wrong ends the search at once: the next round would find the same.
    pub(crate) async fn next(&mut self) -> Result<Pin, Error> {
        loop {
            while let Some(address) = self.untried.as_mut().and_then(Vec::pop) {
                let node = SocketAddr::new(address, self.options.port);
                match self.connect(node).await {
                    Ok(()) => return Pin::new(node, self.options, None),
                    Err(reason) => self.skip(node, SkipReason::Unreachable(reason)),
                }
            }
            let may_retry = self.skipped.iter().any(|skipped| skipped.reason.is_transient());
            if self.untried.is_some() && (!may_retry || !self.backoff.wait().await) {
                return Err(self.failure());
            }
            match self.resolve().await {
                Ok(addresses) => {
                    self.untried = Some(addresses);
                    self.skipped.clear();
                }
                // The skipped nodes say more than a lookup that failed after them.
                Err(reason) if !reason.is_final() && self.is_over() && !self.skipped.is_empty() => {
                    return Err(self.failure());
                }
                Err(reason) => {
                    self.untried = None;
                    if reason.is_final() || self.is_over() || !self.backoff.wait().await {
                        return Err(Error::Resolve { name: self.options.host.clone(), reason });
                    }
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// The error of a search that skipped all nodes.
    fn failure(&mut self) -> Error {
        let (name, skipped) = (self.options.host.clone(), std::mem::take(&mut self.skipped));
        let is_busy = skipped.iter().any(|skipped| matches!(skipped.reason, SkipReason::Busy(_)));
        if is_busy { Error::AllNodesBusy { name, skipped } } else { Error::NoNodeReachable { name, skipped } }
    }

    /// The addresses of the name, in random order, except that those to avoid come first: addresses
    /// are taken from the end.
    async fn resolve(&self) -> Result<Vec<IpAddr>, ResolveError> {
        let name = &self.options.host;
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let lookup = timeout_at(self.deadline, self.options.resolver.lookup(name)).await;
        let mut addresses = lookup.unwrap_or(Err(ResolveError::Timeout))?;
        // The sort is stable, so the others stay in random order.
        addresses.sort_by_key(|&address| !self.avoid.contains(&SocketAddr::new(address, self.options.port)));
        Ok(addresses)
    }

    /// Checks that a node accepts connections; sends nothing.
    async fn connect(&self, node: SocketAddr) -> Result<(), String> {
        let deadline = deadline_in(self.options.connect_timeout).min(self.deadline);
        match timeout_at(deadline, TcpStream::connect(node)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) if deadline == self.deadline => Err("no connection before the deadline".to_owned()),
            Err(_) => Err(format!("no connection within {:?}", self.options.connect_timeout)),
        }
    }
}
