//! What operators say, carried out: on disk first, then seen by queries, then acknowledged.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};
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
    /// There is no first configuration yet.
    #[error("the server is starting and probes every node once; ask again in a moment")]
    Starting,
    /// The server is ending.
    #[error(transparent)]
    Ending(#[from] Stopped),
}

/// Carries out what is said.
#[derive(Clone, Debug)]
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
    /// The server is ending, or just starting.
    pub async fn status(&self) -> Result<Status, Refused> {
        let (generation, pools) = self.pools().await?;
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
    pub async fn say(&self, name: String, said: Override, force: bool) -> Result<(), Refused> {
        let operator = self.clone();
        to_its_end(async move {
            // Held from here on: of two drains that only together leave too few nodes, the second must see the first.
            let book = operator.locked_book().await;
            let (_, pools) = operator.pools().await?;
            let Some((pool, node)) = node(&pools, &name) else { return Err(Refused::NoSuchNode(name)) };
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
            operator.change(book, vec![(name.clone(), Some(said))]).await?;
            info!("{name} is {text}");
            Ok(())
        })
        .await
    }

    /// Takes back what was said of a node, also of one that the configuration does not have.
    ///
    /// # Errors
    /// It was not done, and nothing has changed.
    pub async fn take_back(&self, name: String, by: String) -> Result<(), Refused> {
        let operator = self.clone();
        to_its_end(async move {
            let book = operator.locked_book().await;
            if book.overrides().get(&name).is_none() {
                let (_, pools) = operator.pools().await?;
                let is_there = node(&pools, &name).is_some();
                return Err(if is_there { Refused::NothingSaid(name) } else { Refused::NoSuchNode(name) });
            }
            operator.change(book, vec![(name.clone(), None)]).await?;
            info!("{name} is left to its monitors again by {by}");
            Ok(())
        })
        .await
    }

    /// Takes back what has come to its end, for as long as it runs.
    pub async fn expire(&self) {
        loop {
            tokio::time::sleep(EXPIRY).await;
            let book = self.locked_book().await;
            let ended = book.overrides().ended(now());
            if ended.is_empty() {
                continue;
            }
            match self.change(book, ended.iter().map(|name| (name.clone(), None)).collect()).await {
                Ok(()) => ended.iter().for_each(|name| info!("{name} is left to its monitors again: its time is over")),
                Err(Refused::Ending(_)) => return,
                Err(refused) => error!("overrides that have ended are still there: {refused}"),
            }
        }
    }

    async fn locked_book(&self) -> OwnedMutexGuard<Book> {
        Arc::clone(&self.book).lock_owned().await
    }

    /// Number of the configuration that is served, and its pools.
    async fn pools(&self) -> Result<(u64, Vec<PoolStatus>), Refused> {
        let (generation, pools) = self.control.status().await?;
        // Before the first configuration is served, no node is known, which must not be taken for an answer.
        if generation == 0 { Err(Refused::Starting) } else { Ok((generation, pools)) }
    }

    async fn change(
        &self,
        mut book: OwnedMutexGuard<Book>,
        changes: Vec<(String, Option<Override>)>,
    ) -> Result<(), Refused> {
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

/// Carries a change through, also when whoever asked for it hangs up: what is on disk must be what queries see.
async fn to_its_end(change: impl Future<Output = Result<(), Refused>> + Send + 'static) -> Result<(), Refused> {
    tokio::spawn(change).await.unwrap_or(Err(Refused::Ending(Stopped)))
}

/// The pool and the node of a name.
fn node<'s>(pools: &'s [PoolStatus], name: &str) -> Option<(&'s PoolStatus, &'s crate::status::NodeStatus)> {
    let (pool, node) = name.split_once('/')?;
    let pool = pools.iter().find(|found| found.name == pool)?;
    Some((pool, pool.nodes.iter().find(|found| found.name == node)?))
}
