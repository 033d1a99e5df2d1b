//! Locks of pools: one change of roles at a time per pool, and no drain between its parts.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::error::AdminError;

/// Pools in which roles are being changed.
#[derive(Clone, Debug, Default)]
pub(super) struct PoolLocks(Arc<Shared>);

/// The names of the locked pools, and a signal after each release.
#[derive(Debug, Default)]
struct Shared {
    pools: Mutex<HashSet<String>>,
    released: Notify,
}

/// The lock of one pool, until it is dropped.
pub(super) struct PoolLock {
    locks: PoolLocks,
    pool: String,
}

impl PoolLocks {
    /// The names of the locked pools.
    fn pools(&self) -> MutexGuard<'_, HashSet<String>> {
        // The names stay valid after a panic, so lock poisoning is ignored.
        self.0.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks a pool.
    ///
    /// # Errors
    /// It is locked.
    pub(super) fn lock(&self, pool: &str) -> Result<PoolLock, AdminError> {
        if self.pools().insert(pool.to_owned()) {
            Ok(PoolLock { locks: self.clone(), pool: pool.to_owned() })
        } else {
            Err(AdminError::PoolLocked(pool.to_owned()))
        }
    }

    /// Checks that a pool is not locked.
    ///
    /// # Errors
    /// It is locked.
    pub(super) fn check(&self, pool: &str) -> Result<(), AdminError> {
        if self.pools().contains(pool) { Err(AdminError::PoolLocked(pool.to_owned())) } else { Ok(()) }
    }

    /// Waits until no pool is locked.
    pub(super) async fn all_released(&self) {
        loop {
            // From here on, a release is noticed, even if it comes before the wait.
            let released = self.0.released.notified();
            if self.pools().is_empty() {
                return;
            }
            released.await;
        }
    }
}

impl Drop for PoolLock {
    fn drop(&mut self) {
        self.locks.pools().remove(&self.pool);
        self.locks.0.released.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_wait_ends_with_the_last_lock() {
        let locks = PoolLocks::default();
        locks.all_released().await;
        let held = ["a", "b"].map(|pool| locks.lock(pool).unwrap());
        let waiting = tokio::spawn({
            let locks = locks.clone();
            async move { locks.all_released().await }
        });
        for lock in held {
            tokio::task::yield_now().await;
            assert!(!waiting.is_finished());
            drop(lock);
        }
        waiting.await.unwrap();
    }
}
