//! The handle of the publisher for configurations: [`ConfigHandle::adopt`] makes one the current
//! one.
//!
//! The daemon calls it at the start and at each reload. It prepares the probes of new targets,
//! waits for their first results, hands the configuration to the publisher, and ends the probes of
//! targets that are gone. It fails with [`Stopped`] if the publisher has ended.

use evenkeel_core::state::AddressTargets;
use tokio::sync::{mpsc, oneshot};

use super::health_handle::Stopped;
use super::messages::{Adoption, Message, PublishedConfig};
use super::scheduler::{PublisherTargets, Scheduler};

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
        config: PublishedConfig,
        in_flight: usize,
        wait_ends: impl Future<Output = Option<I>>,
    ) -> Result<Option<I>, Stopped> {
        let (PublisherTargets { targets, new, changed }, mut prepared) = self.scheduler.prepare(&config.pools);
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
        let adoption = Message::Adopt(Box::new(Adoption { config, targets, changed, done }));
        self.publisher.send(adoption).await.map_err(|_| Stopped)?;
        self.scheduler.set_in_flight(in_flight);
        self.scheduler.commit(prepared);
        adopted.await.map_err(|_| Stopped)?;
        Ok(None)
    }
}
