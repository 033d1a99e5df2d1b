//! A cluster behind its shared name: where sessions begin.

use std::sync::Arc;

use reqwest::header::HeaderValue;
use serde_json::Value;

use super::batch::OpenBatch;
use super::error::Error;
use super::file::{FileScan, Report};
use super::options::{Builder, Options};
use super::pin::{Pin, Unbegun};
use super::search::Search;
use super::source::Source;
use super::ticket::{Kind, Ticket};

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
        Search::of(&self.0).next().await
    }

    /// Sends a file to a node; its scan begins.
    ///
    /// # Errors
    /// No node takes it, or what it says to it. Once something has been sent, no other node is asked, unless the first one
    /// says that it is too busy.
    pub async fn scan(&self, source: &mut Source) -> Result<FileScan, Error> {
        let headers = FileScan::headers(source);
        let (pin, answer) = self.begin("/file", Some(source), &headers).await?;
        let data_id = text_of(&pin, &answer, "data_id")?;
        Ok(FileScan::new(pin, data_id))
    }

    /// Sends a file and waits for the result. When the node dies meanwhile, it is sent again as often as
    /// [`Builder::resubmissions`] says.
    ///
    /// # Errors
    /// As of [`scan`](Self::scan) and [`FileScan::result`].
    pub async fn report(&self, source: &mut Source) -> Result<Report, Error> {
        let mut left = self.0.resubmissions;
        loop {
            let outcome = match self.scan(source).await {
                Ok(scan) => scan.result().await,
                Err(error) => Err(error),
            };
            match outcome {
                Err(error) if error.is_lost() && left > 0 && source.is_repeatable() => left -= 1,
                other => return other,
            }
        }
    }

    /// Opens a batch at a node.
    ///
    /// # Errors
    /// No node takes it, or what it says to it.
    pub async fn open_batch(&self) -> Result<OpenBatch, Error> {
        let (pin, answer) = self.begin("/file/batch", None, &[]).await?;
        let batch_id = text_of(&pin, &answer, "batch_id")?;
        Ok(OpenBatch::new(pin, batch_id))
    }

    /// Goes on with a session by its ticket.
    ///
    /// # Errors
    /// No client can be made. Whether the node still knows the session shows when it is asked.
    pub fn take_up(&self, ticket: &Ticket) -> Result<TakenUp, Error> {
        let pin = Pin::to(ticket.node, &self.0, ticket.cookie.clone())?;
        let id = ticket.id.clone();
        Ok(match ticket.kind {
            Kind::File => TakenUp::File(FileScan::new(pin, id)),
            Kind::Batch => TakenUp::Batch(OpenBatch::new(pin, id)),
        })
    }

    /// Begins a session at the first node that takes it.
    async fn begin(
        &self,
        path: &str,
        mut source: Option<&mut Source>,
        headers: &[(&'static str, HeaderValue)],
    ) -> Result<(Pin, Value), Error> {
        let mut search = Search::of(&self.0);
        loop {
            let pin = search.next().await?;
            match pin.begin(path, source.as_deref_mut(), headers).await {
                Ok(begun) => return Ok(begun),
                Err(Unbegun::Failed(error)) => return Err(error),
                Err(Unbegun::Unsent(why)) => search.pass_over(pin.node(), why),
                Err(Unbegun::Busy(words)) => search.pass_over_busy(pin.node(), words),
            }
        }
    }
}

/// A text that an answer must have.
fn text_of(pin: &Pin, answer: &Value, key: &str) -> Result<String, Error> {
    let text = answer.get(key).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| Error::Odd { at: pin.at(None), why: format!("it lacks {key}") })
}
