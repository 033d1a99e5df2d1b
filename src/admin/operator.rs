//! What operators say, carried out: on disk first, then seen by queries, then acknowledged.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tracing::{error, info};

use crate::health::{Control, Stopped};
use crate::overrides::{Book, Override, now};
use crate::pool::Word;
use crate::status::{Absent, PoolStatus, Status};

/// How often overrides are looked at that end by themselves.
const EXPIRY: Duration = Duration::from_secs(1);

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no such node.
    #[error("there is no node {0}")]
    NoSuchNode(String),
    /// Nothing is said of the node.
    #[error("nothing is said of {0}, there is nothing to take back")]
    NothingSaid(String),
    /// Too few nodes would be left.
    #[error("{0}")]
    TooFew(String),
    /// The disk does not take it.
    #[error("it could not be kept, and nothing has changed: {0}")]
    NotKept(std::io::Error),
    /// The server is ending.
    #[error(transparent)]
    Ending(#[from] Stopped),
}

/// Carries out what is said.
#[derive(Debug)]
pub struct Operator {
    book: Arc<Mutex<Book>>,
    control: Control,
}

impl Operator {
    /// Works with a book whose overrides the publisher knows.
    pub fn new(book: Book, control: Control) -> Self {
        Self { book: Arc::new(Mutex::new(book)), control }
    }

    /// How everything stands.
    ///
    /// # Errors
    /// The server is ending.
    pub async fn status(&self) -> Result<Status, Refused> {
        let (generation, pools) = self.control.status().await?;
        let book = self.book.lock().await;
        let is_there = |name: &str| node(&pools, name).is_some();
        let absent = book.overrides().iter().filter(|(name, _)| !is_there(name));
        let absent = absent.map(|(name, said)| Absent { node: name.clone(), r#override: said.clone() }).collect();
        Ok(Status { generation, overrides_are_kept: book.is_kept(), pools, absent })
    }

    /// Says something of a node, `pool/node`. What takes out a node that is needed is refused unless it is forced.
    ///
    /// # Errors
    /// It was not done, and nothing has changed.
    pub async fn say(&self, name: &str, said: Override, force: bool) -> Result<(), Refused> {
        let (_, pools) = self.control.status().await?;
        let Some((pool, node)) = node(&pools, name) else { return Err(Refused::NoSuchNode(name.to_owned())) };
        let takes_out = matches!(said.word, Word::Drain | Word::Down) && node.role == "active" && node.eligible;
        let left = pool.available.saturating_sub(1);
        if takes_out && left < pool.min_available && !force {
            let text = format!(
                "{left} of at least {} active nodes of pool {} would be left; use --force if that is meant",
                pool.min_available, pool.name
            );
            return Err(Refused::TooFew(text));
        }
        let text = said.described();
        self.change(vec![(name.to_owned(), Some(said))]).await?;
        info!("{name} is {text}");
        Ok(())
    }

    /// Takes back what was said of a node, also of one that the configuration does not have.
    ///
    /// # Errors
    /// It was not done, and nothing has changed.
    pub async fn take_back(&self, name: &str, by: &str) -> Result<(), Refused> {
        if self.book.lock().await.overrides().get(name).is_none() {
            let (_, pools) = self.control.status().await?;
            let is_there = node(&pools, name).is_some();
            let name = name.to_owned();
            return Err(if is_there { Refused::NothingSaid(name) } else { Refused::NoSuchNode(name) });
        }
        self.change(vec![(name.to_owned(), None)]).await?;
        info!("{name} is left to its monitors again by {by}");
        Ok(())
    }

    /// Takes back what has come to its end, for as long as it runs.
    pub async fn expire(&self) {
        loop {
            tokio::time::sleep(EXPIRY).await;
            let ended = self.book.lock().await.overrides().ended(now());
            if ended.is_empty() {
                continue;
            }
            match self.change(ended.iter().map(|name| (name.clone(), None)).collect()).await {
                Ok(()) => ended.iter().for_each(|name| info!("{name} is left to its monitors again: its time is over")),
                Err(Refused::Ending(_)) => return,
                Err(refused) => error!("overrides that have ended are still there: {refused}"),
            }
        }
    }

    async fn change(&self, changes: Vec<(String, Option<Override>)>) -> Result<(), Refused> {
        let mut book = Arc::clone(&self.book).lock_owned().await;
        // The disk may be slow; tasks must not wait for it. The book stays locked, so that changes keep their order.
        let written = tokio::task::spawn_blocking(move || {
            let outcome = book.set(changes);
            (book, outcome)
        });
        let (book, outcome) = written.await.map_err(|_| Stopped)?;
        outcome.map_err(Refused::NotKept)?;
        Ok(self.control.set_overrides(book.overrides().clone()).await?)
    }
}

/// The pool and the node of a name.
fn node<'s>(pools: &'s [PoolStatus], name: &str) -> Option<(&'s PoolStatus, &'s crate::status::NodeStatus)> {
    let (pool, node) = name.split_once('/')?;
    let pool = pools.iter().find(|found| found.name == pool)?;
    Some((pool, pool.nodes.iter().find(|found| found.name == node)?))
}
