//! The file descriptors for connections of clients, shared between all listeners of streams.
//!
//! Each listener registers with [`ConnectionBudget::register`], and holds at most
//! [`ListenerShare::limit`] connections: its own limit, or an equal share of the budget if that is
//! less. The shares change when a listener starts or ends, and on a reload. So the connections of
//! all listeners together never take more descriptors than
//! [`open_files`](crate::open_files) leaves for them, whatever clients open.
//!
//! A listener keeps to its share in three steps:
//!
//! 1. Before it serves a new connection, it closes others until fewer than `limit()` are open.
//! 2. If [`ListenerShare::changed`] returns, it closes connections until at most `limit()` are open.
//! 3. A closed connection counts until its descriptor is released.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::watch;

/// What the listeners share.
#[derive(Clone, Copy, Debug)]
struct Budget {
    /// Descriptors for connections of clients.
    descriptors: usize,
    /// Registered listeners.
    listeners: usize,
}

/// The budget of all listeners; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionBudget(Arc<watch::Sender<Budget>>);

/// The part of one listener. Dropping this gives it back to the others.
#[derive(Debug)]
pub(crate) struct ListenerShare {
    budget: ConnectionBudget,
    changes: watch::Receiver<Budget>,
    own_limit: NonZeroUsize,
}

impl Default for ConnectionBudget {
    /// Without a bound until [`Self::resize`].
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Budget { descriptors: usize::MAX, listeners: 0 })))
    }
}

impl ConnectionBudget {
    /// Changes the number of descriptors.
    pub(super) fn resize(&self, descriptors: usize) {
        self.0.send_modify(|budget| budget.descriptors = descriptors);
    }

    /// Registers a listener that holds at most `own_limit` connections.
    pub(crate) fn register(&self, own_limit: NonZeroUsize) -> ListenerShare {
        self.0.send_modify(|budget| budget.listeners += 1);
        ListenerShare { budget: self.clone(), changes: self.0.subscribe(), own_limit }
    }
}

impl ListenerShare {
    /// Connections that the listener may hold now. At least one.
    pub(super) fn limit(&self) -> NonZeroUsize {
        let Budget { descriptors, listeners } = *self.changes.borrow();
        NonZeroUsize::new(descriptors / listeners.max(1)).unwrap_or(NonZeroUsize::MIN).min(self.own_limit)
    }

    /// Waits until [`Self::limit`] may have changed. Dropping the future loses nothing.
    pub(super) async fn changed(&mut self) {
        // The sender lives as long as `budget`.
        let _ = self.changes.changed().await;
    }
}

impl Drop for ListenerShare {
    fn drop(&mut self) {
        self.budget.0.send_modify(|budget| budget.listeners -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_most(connections: usize) -> NonZeroUsize {
        NonZeroUsize::new(connections).unwrap()
    }

    #[tokio::test]
    async fn listeners_have_equal_shares_up_to_their_own_limits() {
        let budget = ConnectionBudget::default();
        let mut plain = budget.register(at_most(1000));
        assert_eq!(plain.limit().get(), 1000, "without a bound, only the own limit holds");
        budget.resize(600);
        plain.changed().await;
        assert_eq!(plain.limit().get(), 600);
        let encrypted = budget.register(at_most(100));
        plain.changed().await;
        assert_eq!((plain.limit().get(), encrypted.limit().get()), (300, 100));
        drop(encrypted);
        plain.changed().await;
        assert_eq!(plain.limit().get(), 600);
        budget.resize(0);
        assert_eq!(plain.limit().get(), 1, "each listener may hold one connection");
    }
}
