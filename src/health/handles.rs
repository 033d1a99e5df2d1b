//! The handles of the publisher: one for the daemon, which brings configurations, and one for the
//! requests of operators.
//!
//! Every call fails with [`Stopped`] if the publisher has ended.

use evenkeel_core::overrides::Overrides;
use evenkeel_core::state::{AddressTargets, Nominees, RememberedHealth};
use evenkeel_core::status::PoolStatus;
use tokio::sync::{mpsc, oneshot};

use super::messages::{Adoption, Message, Plan};
use super::scheduler::{PublisherTargets, Scheduler};
use crate::pool_config::PoolConfig;

/// The publisher has ended: it panicked, or the process is ending.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the publisher of health has stopped")]
pub struct Stopped;

/// Sends the requests of operators to the publisher; cheap to clone.
#[derive(Clone, Debug)]
pub struct HealthHandle(pub(super) mpsc::Sender<Message>);

impl HealthHandle {
    /// Replaces the overrides. When this returns, queries see them.
    ///
    /// # Errors
    /// The publisher has ended.
    pub async fn set_overrides(&self, overrides: Overrides) -> Result<(), Stopped> {
        self.request(|done| Message::Overrides { overrides, done }).await
    }

    /// The health to remember across a restart.
    ///
    /// # Errors
    /// The publisher has ended.
    pub async fn remember(&self) -> Result<RememberedHealth, Stopped> {
        self.request(Message::Remember).await
    }

    /// The generation, and the state of every pool.
    ///
    /// # Errors
    /// The publisher has ended.
    pub async fn status(&self) -> Result<(u64, Vec<PoolStatus>), Stopped> {
        self.request(Message::Status).await
    }

    /// A pool of the configuration that is served.
    ///
    /// # Errors
    /// The publisher has ended.
    pub async fn pool(&self, name: &str) -> Result<Option<PoolConfig>, Stopped> {
        self.request(|reply| Message::Pool(name.to_owned(), reply)).await
    }

    /// Backups to nominate without an operator, per pool.
    ///
    /// # Errors
    /// The publisher has ended.
    pub async fn nominees(&self) -> Result<Vec<Nominees>, Stopped> {
        self.request(Message::Nominees).await
    }

    /// Sends a message and waits for its reply.
    async fn request<T>(&self, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> Result<T, Stopped> {
        let (sender, reply) = oneshot::channel();
        self.0.send(message(sender)).await.map_err(|_| Stopped)?;
        reply.await.map_err(|_| Stopped)
    }
}

/// Brings configurations to the publisher and the scheduler.
#[derive(Debug)]
pub struct ConfigHandle {
    pub(super) publisher: mpsc::Sender<Message>,
    pub(super) scheduler: Scheduler,
}

impl ConfigHandle {
    /// Makes a configuration the current one. First, targets that have not been probed are probed
    /// until each has a result, or until `wait_ends`. Then the publisher stores the first snapshot.
    /// Health of targets that stay is kept.
    ///
    /// If `wait_ends` returns an interruption, nothing changes, and the interruption is returned.
    ///
    /// # Errors
    /// The publisher has ended.
    pub async fn adopt<I>(
        &mut self,
        plan: Plan,
        in_flight: usize,
        wait_ends: impl Future<Output = Option<I>>,
    ) -> Result<Option<I>, Stopped> {
        let (PublisherTargets { targets, new, changed }, mut prepared) = self.scheduler.prepare(&plan.pools);
        let all = targets.iter().flatten().flatten().flat_map(AddressTargets::all).collect();
        let (probed, all_probed) = oneshot::channel();
        self.publisher.send(Message::Prepare { new, all, probed }).await.map_err(|_| Stopped)?;
        self.scheduler.start_new(&mut prepared);
        // Targets without a result when the wait ends are unknown, which is not an error.
        let interruption = tokio::select! {
            _ = all_probed => None,
            interruption = wait_ends => interruption,
        };
        if interruption.is_some() {
            self.scheduler.rollback();
            return Ok(interruption);
        }
        let (done, adopted) = oneshot::channel();
        let adoption = Message::Adopt(Box::new(Adoption { plan, targets, changed, done }));
        self.publisher.send(adoption).await.map_err(|_| Stopped)?;
        self.scheduler.set_in_flight(in_flight);
        self.scheduler.commit(prepared);
        adopted.await.map_err(|_| Stopped)?;
        Ok(None)
    }
}
