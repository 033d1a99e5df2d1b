//! The events that wait for one notification.
//!
//! The event log pushes events, and the task of the notification delivers the oldest one and then
//! removes it. A reload can replace the task; the queue stays.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::event::{Event, EventKind};

/// Events that can wait. If one more arrives, the oldest is lost: new events matter more.
const CAPACITY: usize = 1000;

/// A queue of events of some kinds.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Notify,
}

/// The part behind the lock.
#[derive(Debug)]
struct State {
    kinds: Vec<EventKind>,
    waiting: VecDeque<Waiting>,
    /// Events that were lost since [`Queue::oldest`] last returned.
    lost: u64,
}

/// An event in the queue.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) event: Event,
    /// When it was pushed.
    pub(super) since: Instant,
}

impl Queue {
    /// An empty queue.
    pub(super) fn new(kinds: Vec<EventKind>) -> Self {
        let state = State { kinds, waiting: VecDeque::new(), lost: 0 };
        Self { state: Mutex::new(state), arrived: Notify::new() }
    }

    /// Sets the kinds of the events that follow. Waiting events stay.
    pub(super) fn set_kinds(&self, kinds: Vec<EventKind>) {
        self.state().kinds = kinds;
    }

    /// Adds an event if it is of one of the kinds.
    pub(super) fn push(&self, event: &Event) {
        let mut state = self.state();
        if !state.kinds.contains(&event.kind) {
            return;
        }
        if state.waiting.len() == CAPACITY {
            state.waiting.pop_front();
            state.lost += 1;
        }
        state.waiting.push_back(Waiting { event: event.clone(), since: Instant::now() });
        self.arrived.notify_one();
    }

    /// Waits for an event. Returns the oldest, and how many events were lost since the last call.
    ///
    /// The event stays in the queue until [`remove`](Self::remove), because a reload can replace
    /// the task that delivers it.
    pub(super) async fn oldest(&self) -> (Waiting, u64) {
        loop {
            {
                let mut state = self.state();
                if let Some(oldest) = state.waiting.front().cloned() {
                    return (oldest, std::mem::take(&mut state.lost));
                }
            }
            self.arrived.notified().await;
        }
    }

    /// Removes the oldest event if it is this one. It may have been lost in the meantime.
    pub(super) fn remove(&self, event: &Event) {
        let mut state = self.state();
        if state.waiting.front().is_some_and(|oldest| oldest.event.number == event.number) {
            state.waiting.pop_front();
        }
    }

    /// Locks the state.
    fn state(&self) -> MutexGuard<'_, State> {
        // Every event in the queue is complete, even after a panic, so lock poisoning is ignored.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EventState;

    fn event(kind: EventKind, number: u64) -> Event {
        Event { number, ..Event::of_pool(kind, EventState::Up, "core", String::new()) }
    }

    #[tokio::test]
    async fn events_of_the_kinds_wait_in_order_and_the_oldest_are_lost() {
        let queue = Queue::new(vec![EventKind::Nomination]);
        queue.push(&event(EventKind::Nomination, 1));
        // Events of other kinds take no room.
        (2..5000).for_each(|number| queue.push(&event(EventKind::Health, number)));
        queue.push(&event(EventKind::Nomination, 5000));
        let (first, lost) = queue.oldest().await;
        assert_eq!((first.event.number, lost), (1, 0));
        queue.set_kinds(vec![EventKind::Health]);
        (6000..7000).for_each(|number| queue.push(&event(EventKind::Health, number)));
        let (next, lost) = queue.oldest().await;
        assert_eq!((next.event.number, lost), (6000, 2));
        queue.remove(&first.event);
        assert_eq!(queue.oldest().await.0.event.number, 6000, "an event that was lost is not removed again");
        queue.remove(&next.event);
        assert_eq!(queue.oldest().await.0.event.number, 6001);
    }
}
