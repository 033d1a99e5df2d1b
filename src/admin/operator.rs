//! What operators say, carried out: on disk first, then seen by queries, then acknowledged. Roles are in `roles`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::error;

use super::under_way::UnderWay;
use crate::dns::{Tallies, Totals};
use crate::events::{Event, Journal, Kind, Page};
use crate::health::probe::Prober;
use crate::health::{Control, Stopped};
use crate::overrides::{Book, Ended, NotPossible, Override, Overrides, full_name, now};
use crate::pool::{Role, Word};
use crate::seldom::Seldom;
use crate::status::{Absent, NodeStatus, PoolStatus, Status};

/// How often is looked at what has to happen without an operator: overrides that end, spares that step in.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no such node.
    #[error("there is no node {0}")]
    NoSuchNode(String),
    /// Nothing is said of the node.
    #[error("nothing is said of {0}, there is nothing to take back")]
    NothingSaid(String),
    /// Roles cannot change so.
    #[error(transparent)]
    NotPossible(#[from] NotPossible),
    /// Too few nodes would be left.
    #[error("{0}; use --force (\"force\": true) if that is meant")]
    TooFew(String),
    /// A spare that is not there.
    #[error("{0}; use --force (\"force\": true) if that is meant")]
    NotAlive(String),
    /// Something else is being done.
    #[error("roles are being changed in pool {0}; ask again in a moment")]
    UnderWay(String),
    /// What nobody asked for is not needed any more.
    #[error("{0} need not step in any more")]
    NotWanted(String),
    /// What had to be done first has failed.
    #[error("the action has failed, and no role has changed: {0}")]
    ActionFailed(String),
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
    pub(super) book: Arc<Mutex<Book>>,
    pub(super) control: Control,
    pub(super) journal: Arc<Journal>,
    /// What actions are done with.
    pub(super) prober: Prober,
    /// What was answered.
    tallies: Arc<Tallies>,
    /// Changes of roles: one after the other in a pool, each with its action.
    pub(super) under_way: UnderWay,
}

impl Operator {
    /// Works with a book whose overrides the publisher knows.
    pub fn new(book: Book, control: Control, journal: Arc<Journal>, prober: Prober, tallies: Arc<Tallies>) -> Self {
        let book = Arc::new(Mutex::new(book));
        Self { book, control, journal, prober, tallies, under_way: UnderWay::default() }
    }

    /// How everything stands.
    ///
    /// # Errors
    /// The server is ending, or just starting.
    pub async fn status(&self) -> Result<Status, Refused> {
        let (generation, mut pools) = self.pools().await?;
        let Totals { answers, records } = self.tallies.read();
        let count = |name: &str| Some(records.get(name).copied().unwrap_or(0));
        for pool in &mut pools {
            pool.fallback_records = count(&pool.name);
            for node in &mut pool.nodes {
                node.records = count(&full_name(&pool.name, &node.name));
            }
        }
        let book = self.book.lock().await;
        let overrides = book.overrides();
        let absent = overrides.names().filter(|name| node(&pools, name).is_none());
        let absent = absent.map(|name| Absent {
            node: name.clone(),
            r#override: overrides.get(name).cloned(),
            nomination: overrides.nomination(name).cloned(),
        });
        let absent = absent.collect();
        Ok(Status { generation, overrides_are_kept: book.is_kept(), pools, absent, answers })
    }

    /// At most `limit` events after one of a number, or the last ones. When there is none, the first is waited for.
    pub async fn events(&self, after: Option<u64>, run: Option<u64>, limit: usize, wait: Duration) -> Page {
        let Some(after) = after else { return self.journal.last(limit) };
        let (after, mut watch) = (self.journal.known(run, after), self.journal.watch());
        // Also over when nothing happens.
        let _ = tokio::time::timeout(wait, watch.wait_for(|last| *last > after)).await;
        self.journal.after(after, limit)
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
            let takes_out = matches!(said.word, Word::Drain | Word::Down) && node.role == Role::Active && node.eligible;
            // One that is kept in the answers without being up was not counted.
            let left = pool.available.saturating_sub(usize::from(node.up));
            if takes_out && !force {
                operator.under_way.refuse_in(&pool.name)?;
                enough(pool, left)?;
            }
            let state = match said.word {
                Word::Drain => "drained",
                Word::Up => "forced_up",
                Word::Down => "forced_down",
            };
            let happened = event(Kind::Override, &name, state, &said.described()).by(&said.by);
            operator.change(book, vec![happened], move |overrides| overrides.set(&name, Some(said))).await
        })
        .await
    }

    /// Takes back what was said of a node, also of one that the configuration does not have; its role stays.
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
            let text = format!("left to its monitors again by {by}");
            let happened = event(Kind::Override, &name, "resumed", &text).by(&by);
            operator.change(book, vec![happened], move |overrides| overrides.set(&name, None)).await
        })
        .await
    }

    /// Does what has to happen without an operator, for as long as the server runs.
    pub async fn look_after(&self) {
        tokio::join!(self.end_overrides(), self.let_spares_step_in());
    }

    async fn end_overrides(&self) {
        let mut log = Seldom::default();
        loop {
            tokio::time::sleep(LOOK).await;
            match self.end_those_over().await {
                Ok(()) => {}
                Err(Refused::Ending(_)) => return,
                Err(refused) if log.is_due() => error!("overrides whose time is over still count: {refused}"),
                Err(_) => {}
            }
        }
    }

    /// Takes back what has come to its end.
    async fn end_those_over(&self) -> Result<(), Refused> {
        let book = self.locked_book().await;
        let moment = now();
        let ended = book.overrides().clone().end(moment);
        if ended == Ended::default() {
            return Ok(());
        }
        let words = ended
            .words
            .iter()
            .map(|name| event(Kind::Override, name, "resumed", "left to its monitors again: its time is over"));
        let nominations = ended
            .nominations
            .iter()
            .map(|name| event(Kind::Nomination, name, "ended", "in its configured role again: its time is over"));
        self.change(book, words.chain(nominations).collect(), move |overrides| drop(overrides.end(moment))).await
    }

    pub(super) async fn locked_book(&self) -> OwnedMutexGuard<Book> {
        Arc::clone(&self.book).lock_owned().await
    }

    /// Number of the configuration that is served, and its pools.
    pub(super) async fn pools(&self) -> Result<(u64, Vec<PoolStatus>), Refused> {
        let (generation, pools) = self.control.status().await?;
        // Before the first configuration is served, no node is known, which must not be taken for an answer.
        if generation == 0 { Err(Refused::Starting) } else { Ok((generation, pools)) }
    }

    /// Changes what is said: on disk, in the journal, then for queries.
    pub(super) async fn change(
        &self,
        mut book: OwnedMutexGuard<Book>,
        happened: Vec<Event>,
        change: impl FnOnce(&mut Overrides) + Send + 'static,
    ) -> Result<(), Refused> {
        // The disk may be slow; tasks must not wait for it. The book stays locked, so that changes keep their order.
        let written = tokio::task::spawn_blocking(move || {
            let outcome = book.change(change);
            (book, outcome)
        });
        let (book, outcome) = written.await.map_err(|_| Stopped)?;
        outcome.map_err(Refused::NotKept)?;
        self.journal.record(happened);
        Ok(self.control.set_overrides(book.overrides().clone()).await?)
    }
}

/// Carries a change through, also when whoever asked for it hangs up: what is on disk must be what queries see.
pub(super) async fn to_its_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, Refused>> + Send + 'static,
) -> Result<T, Refused> {
    tokio::spawn(change).await.unwrap_or(Err(Refused::Ending(Stopped)))
}

/// Whether so many active nodes are enough for a pool.
pub(super) fn enough(pool: &PoolStatus, left: usize) -> Result<(), Refused> {
    let PoolStatus { name, min_available, .. } = pool;
    let text = || format!("{left} of at least {min_available} active nodes of pool {name} would be left");
    if left < *min_available { Err(Refused::TooFew(text())) } else { Ok(()) }
}

/// Something that has happened to `pool/node`.
pub(super) fn event(kind: Kind, name: &str, state: &str, text: &str) -> Event {
    let (pool, node) = name.split_once('/').unwrap_or((name, ""));
    kind.of(pool, state, format!("{name} is {text}")).node(node)
}

/// The pool and the node of a name.
pub(super) fn node<'s>(pools: &'s [PoolStatus], name: &str) -> Option<(&'s PoolStatus, &'s NodeStatus)> {
    let (pool, node) = name.split_once('/')?;
    let pool = pools.iter().find(|found| found.name == pool)?;
    Some((pool, pool.nodes.iter().find(|found| found.name == node)?))
}
