//! What the publisher is told and asked, and the ways to it: one for configurations, one for operators.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::memory::Memory;
use super::probe::Untried;
use super::scheduler::{ForPublisher, Limits, Scheduler};
use super::table::{Observation, SlotTargets, TargetId};
use crate::overrides::Overrides;
use crate::pool::Pool;
use crate::serving::Static;
use crate::status::PoolStatus;

/// What the publisher is told.
#[derive(Debug)]
pub(super) enum Message {
    /// A probe has ended.
    Observed(Observation),
    /// A probe of a monitor could not be tried.
    Untried { target: TargetId, monitor: Arc<str>, why: Untried },
    /// New targets will be probed; `probed` is told when all of a configuration have a result.
    Prepare { new: Vec<Limits>, all: Vec<TargetId>, probed: oneshot::Sender<()> },
    /// Operators say something else than before.
    Overrides { overrides: Overrides, done: oneshot::Sender<()> },
    /// Somebody asks what to remember across a restart.
    Memory(oneshot::Sender<Memory>),
    /// Somebody asks how everything stands.
    Status(oneshot::Sender<(u64, Vec<PoolStatus>)>),
    /// Somebody asks for the configuration of a pool.
    Pool(String, oneshot::Sender<Option<Pool>>),
    /// Somebody asks which spares should step in without an operator.
    Nominees(oneshot::Sender<Vec<Nominees>>),
    /// A configuration replaces the one before.
    Adopt { plan: Box<Plan>, slots: Vec<Vec<SlotTargets>>, changed: Vec<Limits>, done: oneshot::Sender<()> },
}

/// Spares of which one should step in, because too few active nodes are up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Nominees {
    /// The pool.
    pub pool: Arc<str>,
    /// Spares that serve already: somebody else has promoted them.
    pub promoted: Vec<Arc<str>>,
    /// Spares that are alive.
    pub alive: Vec<Arc<str>>,
    /// An active node that is down.
    pub replaces: Arc<str>,
    /// Once in this time is often enough.
    pub every: Duration,
}

/// A configuration as the publisher needs it.
#[derive(Debug)]
pub struct Plan {
    /// Number of the configuration, from 1.
    pub generation: u64,
    /// Zones and names.
    pub fixed: Arc<Static>,
    /// The pools that the names use.
    pub pools: Vec<Pool>,
}

/// The publisher is gone: it panicked, or the process is ending.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the publisher of health has stopped")]
pub struct Stopped;

/// The way of operators to the publisher.
#[derive(Clone, Debug)]
pub struct Control(pub(super) mpsc::Sender<Message>);

impl Control {
    /// Replaces what operators say; when this returns, queries see it.
    ///
    /// # Errors
    /// The publisher is gone.
    pub async fn set_overrides(&self, overrides: Overrides) -> Result<(), Stopped> {
        self.ask(|done| Message::Overrides { overrides, done }).await
    }

    /// What to remember across a restart.
    ///
    /// # Errors
    /// The publisher is gone.
    pub async fn memory(&self) -> Result<Memory, Stopped> {
        self.ask(Message::Memory).await
    }

    /// The generation, and how every pool stands.
    ///
    /// # Errors
    /// The publisher is gone.
    pub async fn status(&self) -> Result<(u64, Vec<PoolStatus>), Stopped> {
        self.ask(Message::Status).await
    }

    /// A pool of the configuration that is served.
    ///
    /// # Errors
    /// The publisher is gone.
    pub async fn pool(&self, name: &str) -> Result<Option<Pool>, Stopped> {
        self.ask(|reply| Message::Pool(name.to_owned(), reply)).await
    }

    /// Spares that should step in without an operator, by pool.
    ///
    /// # Errors
    /// The publisher is gone.
    pub async fn nominees(&self) -> Result<Vec<Nominees>, Stopped> {
        self.ask(Message::Nominees).await
    }

    async fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.0.send(message(reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}

/// The way to hand configurations to the publisher.
#[derive(Debug)]
pub struct PublisherHandle {
    pub(super) publisher: mpsc::Sender<Message>,
    pub(super) scheduler: Scheduler,
}

impl PublisherHandle {
    /// Makes a configuration the current one: probes what nobody has probed yet, until all have answered or `enough`
    /// is over, then stores the first snapshot of it. Health of targets that stay is kept.
    ///
    /// When `enough` ends with an interruption, nothing changes, and the interruption is given.
    ///
    /// # Errors
    /// The publisher is gone.
    pub async fn adopt<I>(
        &mut self,
        plan: Plan,
        in_flight: usize,
        enough: impl Future<Output = Option<I>>,
    ) -> Result<Option<I>, Stopped> {
        let (ForPublisher { slots, new, changed }, mut prepared) = self.scheduler.prepare(&plan.pools);
        let all = slots.iter().flatten().flat_map(SlotTargets::all).collect();
        let (probed, all_probed) = oneshot::channel();
        self.publisher.send(Message::Prepare { new, all, probed }).await.map_err(|_| Stopped)?;
        self.scheduler.begin(&mut prepared);
        // Whoever has not answered when it is enough is unknown; that is no error.
        let interrupted = tokio::select! {
            _ = all_probed => None,
            interrupted = enough => interrupted,
        };
        if interrupted.is_some() {
            self.scheduler.give_up();
            return Ok(interrupted);
        }
        let (done, adopted) = oneshot::channel();
        let adopt = Message::Adopt { plan: Box::new(plan), slots, changed, done };
        self.publisher.send(adopt).await.map_err(|_| Stopped)?;
        self.scheduler.set_in_flight(in_flight);
        self.scheduler.commit(prepared);
        adopted.await.map_err(|_| Stopped)?;
        Ok(None)
    }
}
