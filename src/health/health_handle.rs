//! The handle through which requests reach the publisher. The admin service sets overrides, and
//! reads the status, the pools, and the backups for auto-nominations. The daemon reads the health
//! that it stores.
//!
//! Every call fails with [`Stopped`] if the publisher has ended.

use evenkeel_core::overrides::Overrides;
use evenkeel_core::state::{Nominees, RememberedHealth};
use tokio::sync::{mpsc, oneshot};

use super::messages::{HealthStatus, Message};
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
    pub async fn status(&self) -> Result<HealthStatus, Stopped> {
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
