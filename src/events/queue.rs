//! Events that wait for one recipient.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::event::{Event, EventKind};

/// Events that may wait. One more, and the oldest is lost: what is new matters more.
const ROOM: usize = 1000;

/// A queue of the kinds of events that somebody wants to know.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug)]
struct State {
    kinds: Vec<EventKind>,
    waiting: VecDeque<Waiting>,
    lost: u64,
}

/// An event, and when it happened.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) event: Event,
    pub(super) since: Instant,
}

impl Queue {
    pub(super) fn new(kinds: Vec<EventKind>) -> Self {
        let state = State { kinds, waiting: VecDeque::new(), lost: 0 };
        Self { state: Mutex::new(state), arrived: Notify::new() }
    }

    /// Takes other kinds from now on; what waits stays.
    pub(super) fn want(&self, kinds: Vec<EventKind>) {
        self.state().kinds = kinds;
    }

    /// Adds an event, if it is wanted.
    pub(super) fn offer(&self, event: &Event) {
        let mut state = self.state();
        if !state.kinds.contains(&event.kind) {
            return;
        }
        if state.waiting.len() == ROOM {
            state.waiting.pop_front();
            state.lost += 1;
        }
        state.waiting.push_back(Waiting { event: event.clone(), since: Instant::now() });
        self.arrived.notify_one();
    }

    /// The oldest event, when there is one, and how many were lost since the last time. It stays until it is
    /// [`done`](Self::done) with, so that whoever tells it may be replaced meanwhile.
    pub(super) async fn next(&self) -> (Waiting, u64) {
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

    /// Takes an event away, unless it was lost meanwhile.
    pub(super) fn done(&self, event: &Event) {
        let mut state = self.state();
        if state.waiting.front().is_some_and(|oldest| oldest.event.number == event.number) {
            state.waiting.pop_front();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot have left events half written.
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
    async fn wanted_events_wait_in_order_and_the_oldest_are_lost() {
        let queue = Queue::new(vec![EventKind::Nomination]);
        queue.offer(&event(EventKind::Nomination, 1));
        // Events of other kinds take no room.
        (2..5000).for_each(|number| queue.offer(&event(EventKind::Health, number)));
        queue.offer(&event(EventKind::Nomination, 5000));
        let (first, lost) = queue.next().await;
        assert_eq!((first.event.number, lost), (1, 0));
        queue.want(vec![EventKind::Health]);
        (6000..7000).for_each(|number| queue.offer(&event(EventKind::Health, number)));
        let (next, lost) = queue.next().await;
        assert_eq!((next.event.number, lost), (6000, 2));
        queue.done(&first.event);
        assert_eq!(queue.next().await.0.event.number, 6000, "what was lost is not taken away again");
        queue.done(&next.event);
        assert_eq!(queue.next().await.0.event.number, 6001);
    }
}
