//! Changes of roles that are under way: one at a time in a pool, with nothing between its parts.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::operator::Refused;

/// Pools in which roles are being changed.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay(Arc<Mutex<HashSet<String>>>);

/// A change of roles that is under way in one pool, until this is dropped.
pub(super) struct Changing {
    under_way: UnderWay,
    pool: String,
}

impl UnderWay {
    fn pools(&self) -> MutexGuard<'_, HashSet<String>> {
        // Names: a panic elsewhere cannot have left them half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a change, unless another one is under way in the pool.
    pub(super) fn begin(&self, pool: &str) -> Result<Changing, Refused> {
        if self.pools().insert(pool.to_owned()) {
            Ok(Changing { under_way: self.clone(), pool: pool.to_owned() })
        } else {
            Err(Refused::UnderWay(pool.to_owned()))
        }
    }

    /// Refuses what must not come between the parts of a change.
    pub(super) fn refuse_in(&self, pool: &str) -> Result<(), Refused> {
        if self.pools().contains(pool) { Err(Refused::UnderWay(pool.to_owned())) } else { Ok(()) }
    }

    /// Whether nothing is under way.
    pub(super) fn is_over(&self) -> bool {
        self.pools().is_empty()
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.under_way.pools().remove(&self.pool);
    }
}
