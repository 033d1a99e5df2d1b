//! Changes of roles that are under way: one at a time in a pool, with nothing between its parts.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::operator::Refused;

/// What is under way, and what was.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay(Arc<Mutex<Pools>>);

#[derive(Debug, Default)]
struct Pools {
    changing: HashSet<String>,
    /// When roles were changed last.
    changed: HashMap<String, Instant>,
}

/// A change of roles that is under way in one pool, until this is dropped.
pub(super) struct Changing {
    under_way: UnderWay,
    pool: String,
}

impl UnderWay {
    fn pools(&self) -> MutexGuard<'_, Pools> {
        // Names and moments: a panic elsewhere cannot have left them half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a change, unless another one is under way in the pool.
    pub(super) fn begin(&self, pool: &str) -> Result<Changing, Refused> {
        if self.pools().changing.insert(pool.to_owned()) {
            Ok(Changing { under_way: self.clone(), pool: pool.to_owned() })
        } else {
            Err(Refused::UnderWay(pool.to_owned()))
        }
    }

    /// Refuses what must not come between the parts of a change.
    pub(super) fn refuse_in(&self, pool: &str) -> Result<(), Refused> {
        if self.pools().changing.contains(pool) { Err(Refused::UnderWay(pool.to_owned())) } else { Ok(()) }
    }

    /// Whether nothing is under way.
    pub(super) fn is_over(&self) -> bool {
        self.pools().changing.is_empty()
    }

    /// When roles were changed last in a pool.
    pub(super) fn last_change(&self, pool: &str) -> Option<Instant> {
        self.pools().changed.get(pool).copied()
    }
}

impl Changing {
    /// Roles have changed.
    pub(super) fn note(&self) {
        self.under_way.pools().changed.insert(self.pool.clone(), Instant::now());
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.under_way.pools().changing.remove(&self.pool);
    }
}
