//! The search for a node that accepts a session.
//!
//! ```text
//!            ┌──────── all skipped: wait, at most until the deadline ────────┐
//!            ▼                                                               │
//!  resolve the name ──► shuffle ──► pin the next address ──► start the session
//!                                        ▲                         │ unreachable, busy,
//!                                        └────────── skip ◄────────┘ wrong certificate or protocol
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
use crate::cluster_state::ClusterState;
use crate::error::Error;
use crate::pin::Pin;
use crate::resolve::ResolveError;
use crate::skip::{SkipReason, SkippedNode};

/// Delays before the name is resolved again, after all addresses were skipped.
const ROUND_DELAYS: Delays = Delays::millis(200, 5000);

/// A search, bounded by the deadline of the cluster.
pub(crate) struct NodeSearch<'c> {
    cluster: &'c Arc<ClusterState>,
    deadline: Instant,
    backoff: Backoff,
    /// Nodes that are tried after all others.
    avoid: Vec<SocketAddr>,
    /// Addresses of this round that are still to be tried, taken from the end; none before the
    /// first round.
    untried: Option<Vec<IpAddr>>,
    /// Addresses of this round that were skipped.
    skipped: Vec<SkippedNode>,
    /// Addresses that were skipped in the previous round. If the deadline ends this round, the
    /// error gives the reasons of that round.
    previously_skipped: Vec<SkippedNode>,
    /// The latest refusal of a node that accepts no session for now.
    refusal: Option<Error>,
    /// Why lookups have failed since the latest success. A timeout does not replace another reason.
    lookup_failure: Option<ResolveError>,
}

impl<'c> NodeSearch<'c> {
    /// A search that tries the nodes in `avoid` after all others.
    pub(crate) fn new(cluster: &'c Arc<ClusterState>, avoid: &[SocketAddr]) -> Self {
        let deadline = deadline_in(cluster.options.deadline);
        let backoff = Backoff::until(deadline, ROUND_DELAYS);
        Self {
            cluster,
            deadline,
            backoff,
            avoid: avoid.to_owned(),
            untried: None,
            skipped: Vec::new(),
            previously_skipped: Vec::new(),
            refusal: None,
            lookup_failure: None,
        }
    }

    /// When the search ends.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Skips a node for the rest of this round.
    pub(crate) fn skip(&mut self, node: SocketAddr, reason: SkipReason) {
        self.skipped.push(SkippedNode { node, reason });
    }

    /// Skips a node that accepts no session for now. If all nodes refuse, the search fails with the
    /// latest refusal.
    pub(crate) fn refuse(&mut self, node: SocketAddr, refusal: Error) {
        self.skip(node, SkipReason::Refused(refusal.to_string()));
        self.refusal = Some(refusal);
    }

    /// The next node that accepts connections. The connection is closed: it is for callers that
    /// send nothing, or cannot send twice.
    ///
    /// # Errors
    /// As for [`next`](Self::next).
    pub(crate) async fn next_connected(&mut self) -> Result<Pin, Error> {
        loop {
            let pin = self.next().await?;
            match self.connect(pin.node()).await {
                Ok(()) => return Ok(pin),
                Err(reason) => self.skip(pin.node(), reason),
            }
        }
    }

    /// The next node to try.
    ///
    /// # Errors
    /// The name cannot be resolved, or all nodes were skipped, until the deadline. A lookup that
    /// will not differ, and a round in which no reason can change, end the search at once.
    pub(crate) async fn next(&mut self) -> Result<Pin, Error> {
        loop {
            if let Some(address) = self.untried.as_mut().and_then(Vec::pop) {
                // One address is tried in any case.
                if self.skipped.is_empty() || !self.is_over() {
                    return Pin::new(SocketAddr::new(address, self.cluster.options.port), self.cluster, None);
                }
                return Err(self.failure());
            }
            if self.untried.is_some() {
                let may_retry = self.skipped.iter().any(|skipped| skipped.reason.is_transient());
                if !may_retry || !self.backoff.wait().await {
                    return Err(self.failure());
                }
            }
            match self.resolve().await {
                Ok(addresses) => {
                    self.untried = Some(addresses);
                    self.lookup_failure = None;
                    self.previously_skipped = std::mem::take(&mut self.skipped);
                }
                Err(reason) => {
                    let is_final = reason.is_final();
                    if reason != ResolveError::Timeout || self.lookup_failure.is_none() {
                        self.lookup_failure = Some(reason);
                    }
                    // Nothing is skipped until a lookup has succeeded again.
                    self.untried = None;
                    if is_final || self.is_over() || !self.backoff.wait().await {
                        return Err(self.failure());
                    }
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// The error of a search that found no node.
    fn failure(&mut self) -> Error {
        let name = self.cluster.options.host.clone();
        let skipped = self.skipped_nodes();
        if skipped.iter().all(|skipped| matches!(skipped.reason, SkipReason::Refused(_)))
            && let Some(refusal) = self.refusal.take()
        {
            return refusal;
        }
        match self.lookup_failure.take() {
            // Skipped nodes say more than a lookup that failed after them, unless that is final.
            Some(reason) if skipped.is_empty() || reason.is_final() => Error::Resolve { name, reason },
            _ if skipped.iter().any(|skipped| matches!(skipped.reason, SkipReason::Busy(_))) => {
                Error::AllNodesBusy { name, skipped }
            }
            _ => Error::NoNodeReachable { name, skipped },
        }
    }

    /// The addresses of the latest rounds. The deadline is a reason only for an address that has
    /// no other.
    fn skipped_nodes(&mut self) -> Vec<SkippedNode> {
        let mut skipped = std::mem::take(&mut self.skipped);
        for previous in std::mem::take(&mut self.previously_skipped) {
            match skipped.iter_mut().find(|skipped| skipped.node == previous.node) {
                None => skipped.push(previous),
                Some(same) if same.reason == SkipReason::DeadlineReached => same.reason = previous.reason,
                Some(_) => {}
            }
        }
        skipped
    }

    /// The addresses of the name, in random order, except that those to avoid come first: addresses
    /// are taken from the end.
    async fn resolve(&self) -> Result<Vec<IpAddr>, ResolveError> {
        let name = &self.cluster.options.host;
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let lookup = timeout_at(self.deadline, self.cluster.resolver.lookup(name)).await;
        let mut addresses = lookup.unwrap_or(Err(ResolveError::Timeout))?;
        // The sort is stable, so the others stay in random order.
        addresses.sort_by_key(|&address| !self.avoid.contains(&SocketAddr::new(address, self.cluster.options.port)));
        Ok(addresses)
    }

    /// Checks that a node accepts connections; sends nothing.
    async fn connect(&self, node: SocketAddr) -> Result<(), SkipReason> {
        let connect_timeout = self.cluster.options.connect_timeout;
        let deadline = deadline_in(connect_timeout).min(self.deadline);
        match timeout_at(deadline, TcpStream::connect(node)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(SkipReason::Unreachable(error.to_string())),
            Err(_) if deadline == self.deadline => Err(SkipReason::DeadlineReached),
            Err(_) => Err(SkipReason::Unreachable(format!("no connection within {connect_timeout:?}"))),
        }
    }
}
