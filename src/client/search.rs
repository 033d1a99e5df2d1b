//! The search for a node that takes a session: one address after the other, and the name again when all were passed over.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::backoff::Backoff;
use super::error::{Error, Tried};
use super::options::Options;
use super::pin::Pin;

/// Wait before the name is resolved again, when no node has taken a session.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Longest of these waits.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A search, bounded by the cluster's deadline.
pub(super) struct Search<'c> {
    options: &'c Arc<Options>,
    until: Instant,
    backoff: Backoff,
    /// Addresses of the last answer that have yet to be tried; none before the first.
    untried: Option<Vec<IpAddr>>,
    /// Those of it that were passed over.
    tried: Tried,
    is_busy: bool,
}

impl<'c> Search<'c> {
    pub(super) fn of(options: &'c Arc<Options>) -> Self {
        let (until, backoff) = (Instant::now() + options.deadline, Backoff::new(FIRST_WAIT, LONGEST_WAIT));
        Self { options, until, backoff, untried: None, tried: Tried::new(), is_busy: false }
    }

    /// Passes a node over.
    pub(super) fn pass_over(&mut self, node: SocketAddr, why: String) {
        self.tried.push((node, why));
    }

    /// Passes a node over that has too much to do.
    pub(super) fn pass_over_busy(&mut self, node: SocketAddr, words: String) {
        self.is_busy = true;
        self.pass_over(node, words);
    }

    /// The next node that takes connections.
    ///
    /// # Errors
    /// The deadline is over; what was tried last is told.
    pub(super) async fn next(&mut self) -> Result<Pin, Error> {
        loop {
            while let Some(address) = self.untried.as_mut().and_then(Vec::pop) {
                if Instant::now() >= self.until {
                    return Err(self.failure());
                }
                let node = SocketAddr::new(address, self.options.port);
                match connect(node, self.options.connect_timeout).await {
                    Ok(()) => return Pin::to(node, self.options, None),
                    Err(why) => self.pass_over(node, why),
                }
            }
            if self.untried.is_some() {
                self.wait(None).await?;
            }
            match self.resolve().await {
                Ok(addresses) => {
                    self.untried = Some(addresses);
                    self.tried.clear();
                    self.is_busy = false;
                }
                Err(error) => {
                    self.untried = None;
                    self.wait(Some(error)).await?;
                }
            }
        }
    }

    /// Waits before the next round, unless there is no time for one.
    async fn wait(&mut self, failure: Option<Error>) -> Result<(), Error> {
        let wait = self.backoff.next();
        if Instant::now() + wait >= self.until {
            return Err(failure.unwrap_or_else(|| self.failure()));
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    fn failure(&mut self) -> Error {
        let (name, tried) = (self.options.host.clone(), std::mem::take(&mut self.tried));
        if self.is_busy { Error::Busy { name, tried } } else { Error::NoNode { name, tried } }
    }

    /// The addresses of the name, in random order.
    async fn resolve(&self) -> Result<Vec<IpAddr>, Error> {
        let name = &self.options.host;
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let late = || Error::Resolve { name: name.clone(), why: "no answer before the deadline".to_owned() };
        timeout_at(self.until, self.options.resolver.addresses(name)).await.unwrap_or_else(|_| Err(late()))
    }
}

/// Whether an address takes connections; nothing is sent.
async fn connect(node: SocketAddr, patience: Duration) -> Result<(), String> {
    match timeout(patience, TcpStream::connect(node)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no connection within {patience:?}")),
    }
}
