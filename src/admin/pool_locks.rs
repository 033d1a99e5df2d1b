//! Locks of pools: one change of roles at a time per pool, and no drain between its parts.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::AdminError;

/// Pools in which roles are being changed.
#[derive(Clone, Debug, Default)]
pub(super) struct PoolLocks(Arc<Mutex<HashSet<String>>>);

/// The lock of one pool, until it is dropped.
pub(super) struct PoolLock {
    locks: PoolLocks,
    pool: String,
}

impl PoolLocks {
    /// The names of the locked pools.
    fn pools(&self) -> MutexGuard<'_, HashSet<String>> {
        // The names stay valid after a panic, so lock poisoning is ignored.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Returns true if no pool is locked.
    pub(super) fn are_all_free(&self) -> bool {
        self.pools().is_empty()
    }
}

impl Drop for PoolLock {
    fn drop(&mut self) {
        self.locks.pools().remove(&self.pool);
    }
}
