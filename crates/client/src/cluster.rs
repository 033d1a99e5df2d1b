//! A cluster behind its shared name: where sessions begin.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde_json::Value;

use super::batch::{ClosedBatch, OpenBatch};
use super::error::Error;
use super::exchange::{Headers, Unbegun};
use super::file_scan::{FileScan, headers};
use super::options::{Builder, Options};
use super::pin::Pin;
use super::report::Report;
use super::search::Search;
use super::source::Source;
use super::ticket::{Kind, Ticket, is_identifier};

/// A cluster. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cluster(Arc<Options>);

/// A session that another process has begun.
#[derive(Debug)]
pub enum TakenUp {
    /// A single file.
    File(FileScan),
    /// A batch that is open, for all that is known.
    Batch(OpenBatch),
    /// A batch that is closed.
    ClosedBatch(ClosedBatch),
}

/// What happens to a file on the way to its result.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step<'s> {
    /// A node has taken it.
    Sent(&'s FileScan),
    /// So far is its scan, in percent.
    Scanned(u8),
    /// Its node is gone or has forgotten it; it is sent again.
    Lost(&'s Error),
}

impl Cluster {
    /// The cluster behind a URL with its shared name, with defaults for all else.
    ///
    /// # Errors
    /// The URL cannot be used.
    pub fn new_at(url: &str) -> Result<Self, Error> {
        Self::builder(url).build()
    }

    /// Sets up the cluster behind a URL with its shared name: `https://core.lb.example:8008`.
    pub fn builder(url: &str) -> Builder {
        Builder::new(url)
    }

    pub(super) fn new(options: Options) -> Self {
        Self(Arc::new(options))
    }

    /// Resolves the name once and pins one of its addresses, chosen at random, that takes connections. A dead one is
    /// replaced by the next, and when all are dead, the name is resolved again, until the deadline.
    ///
    /// # Errors
    /// The name has no addresses, or no node can be reached.
    pub async fn pin(&self) -> Result<Pin, Error> {
        Search::of(&self.0, &[]).next().await
    }

    /// Sends a file to a node; its scan begins.
    ///
    /// # Errors
    /// No node takes it, or what it says to it. Once something has been sent, no other node is asked, unless the first one
    /// says that it is too busy.
    pub async fn scan(&self, source: &mut Source) -> Result<FileScan, Error> {
        self.scan_rather_not_at(&[], source).await
    }

    /// The same, at one of these nodes only if no other one takes it.
    async fn scan_rather_not_at(&self, last: &[SocketAddr], source: &mut Source) -> Result<FileScan, Error> {
        let headers = headers(source);
        let (pin, answer) = self.begin("/file", last, Some(source), &headers).await?;
        let data_id = identifier(&answer, "data_id").map_err(|why| pin.odd(None, why))?;
        Ok(FileScan::new(pin, data_id))
    }

    /// Sends a file and waits for the result. When its node dies meanwhile, it is sent again, to another one if there is
    /// one, as often as [`Builder::resubmissions`] says.
    ///
    /// # Errors
    /// As of [`scan`](Self::scan) and [`FileScan::result`].
    pub async fn report(&self, source: &mut Source) -> Result<Report, Error> {
        self.report_watched(source, |_| {}).await
    }

    /// The same, with a look at every step.
    ///
    /// # Errors
    /// As of [`report`](Self::report).
    pub async fn report_watched(&self, source: &mut Source, mut watch: impl FnMut(Step<'_>)) -> Result<Report, Error> {
        let (mut left, mut lost) = (self.0.resubmissions, Vec::new());
        loop {
            let outcome = match self.scan_rather_not_at(&lost, source).await {
                Ok(scan) => {
                    watch(Step::Sent(&scan));
                    scan.result_watched(|percent| watch(Step::Scanned(percent))).await
                }
                Err(error) => Err(error),
            };
            match outcome {
                Err(error) if error.is_lost() && left > 0 && source.is_repeatable() => {
                    lost.extend(error.at().map(|at| at.node));
                    left -= 1;
                    watch(Step::Lost(&error));
                }
                other => return other,
            }
        }
    }

    /// Opens a batch at a node.
    ///
    /// # Errors
    /// No node takes it, or what it says to it.
    pub async fn open_batch(&self) -> Result<OpenBatch, Error> {
        let (pin, answer) = self.begin("/file/batch", &[], None, &Headers::new()).await?;
        let batch_id = identifier(&answer, "batch_id").map_err(|why| pin.odd(None, why))?;
        Ok(OpenBatch::new(pin, batch_id))
    }

    /// Goes on with a session by its ticket.
    ///
    /// # Errors
    /// The ticket is for a node that cannot belong to this cluster. Whether the node still knows the session shows when it
    /// is asked.
    pub fn take_up(&self, ticket: &Ticket) -> Result<TakenUp, Error> {
        let is_other = self.0.host.parse::<IpAddr>().is_ok_and(|address| address != ticket.node.ip());
        if is_other || ticket.node.port() != self.0.port {
            return Err(Error::Ticket(ticket.to_string(), "its node is not at the address and port of the cluster"));
        }
        let pin = Pin::to(ticket.node, &self.0, ticket.cookie.clone())?;
        let id = ticket.id.clone();
        Ok(match ticket.kind {
            Kind::File => TakenUp::File(FileScan::new(pin, id)),
            Kind::Batch => TakenUp::Batch(OpenBatch::new(pin, id)),
            Kind::ClosedBatch => TakenUp::ClosedBatch(ClosedBatch::new(pin, id)),
        })
    }

    /// Begins a session at the first node that takes it.
    async fn begin(
        &self,
        path: &str,
        last: &[SocketAddr],
        mut source: Option<&mut Source>,
        headers: &Headers,
    ) -> Result<(Pin, Value), Error> {
        let mut search = Search::of(&self.0, last);
        loop {
            let pin = search.next().await?;
            match pin.begin(path, source.as_deref_mut(), headers).await {
                Ok(begun) => return Ok(begun),
                Err(Unbegun::Failed(error)) => return Err(error),
                Err(Unbegun::Passed(passed)) => search.pass_over(pin.node(), passed),
            }
        }
    }
}

/// An identifier that an answer must have.
///
/// # Errors
/// It has none, or one that could not stand in a path.
pub(super) fn identifier(answer: &Value, key: &str) -> Result<String, String> {
    let id = answer.get(key).and_then(Value::as_str).ok_or_else(|| format!("it lacks {key}"))?;
    if is_identifier(id) { Ok(id.to_owned()) } else { Err(format!("{key} is no identifier: {id:?}")) }
}
