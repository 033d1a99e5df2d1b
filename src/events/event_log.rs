//! The event log: the latest events of this run of the server, in order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::{info, warn};

use super::event::{Event, EventKind};
use super::queue::Queue;

/// Events that are kept: half of them of the kinds that nodes can cause without end, so that these do not push out what
/// people have said and what became of the answers.
pub const KEPT: usize = 1000;

/// Keeps the latest events. A full log drops the oldest one, so that recording never waits.
#[derive(Debug)]
pub struct EventLog {
    /// When it began, in milliseconds since 1970: which run of the server its numbers belong to.
    run: u64,
    kept: Mutex<Kept>,
    /// Number of the last event, for those who wait.
    last: watch::Sender<u64>,
    /// Queues of those who are told.
    queues: Mutex<Vec<Weak<Queue>>>,
}

/// Events by how often they happen, each in order.
#[derive(Debug, Default)]
struct Kept {
    frequent: VecDeque<Event>,
    rare: VecDeque<Event>,
}

impl Kept {
    fn push(&mut self, event: Event) {
        let is_frequent = matches!(event.kind, EventKind::Health | EventKind::Standby | EventKind::Ejection);
        let ring = if is_frequent { &mut self.frequent } else { &mut self.rare };
        if ring.len() == KEPT / 2 {
            ring.pop_front();
        }
        ring.push_back(event);
    }

    /// Those after a number, in order.
    fn after(&self, number: u64) -> Vec<&Event> {
        let both = self.frequent.iter().chain(&self.rare);
        let mut events: Vec<_> = both.filter(|event| event.number > number).collect();
        events.sort_unstable_by_key(|event| event.number);
        events
    }
}

/// Events for somebody who asks.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Page {
    /// Which run of the server it was: numbers begin anew with each.
    pub run: u64,
    /// In the order in which they happened.
    pub events: Vec<Event>,
    /// Events between the one that was asked for and the first of these, which are kept no more.
    pub missed: u64,
    /// Number of the last event that has happened.
    pub last: u64,
}

impl Default for EventLog {
    fn default() -> Self {
        let run = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        Self { run, kept: Mutex::default(), last: watch::Sender::new(0), queues: Mutex::default() }
    }
}

impl EventLog {
    /// Writes events into the log, in their order, and keeps them.
    pub fn record(&self, events: impl IntoIterator<Item = Event>) {
        let mut kept = self.kept();
        let mut last = *self.last.borrow();
        for mut event in events {
            last += 1;
            event.number = last;
            event.at = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
            if event.warning {
                warn!("{}", event.text)
            } else {
                info!("{}", event.text)
            }
            let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody empties a queue that is gone.
            queues.retain(|queue| queue.upgrade().map(|queue| queue.offer(&event)).is_some());
            kept.push(event);
        }
        // Nobody needs to wait for it.
        self.last.send_replace(last);
    }

    /// A queue of all events of some kinds from now on, for as long as somebody holds it.
    pub(super) fn queue(&self, kinds: Vec<EventKind>) -> Arc<Queue> {
        let queue = Arc::new(Queue::new(kinds));
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&queue));
        queue
    }

    /// The number, or 0 when it was given in another run, whose events are gone.
    pub fn known(&self, run: Option<u64>, number: u64) -> u64 {
        let is_ours = run.is_none_or(|run| run == self.run) && number <= *self.last.borrow();
        if is_ours { number } else { 0 }
    }

    /// At most `limit` events after the one of a number.
    pub fn after(&self, number: u64, limit: usize) -> Page {
        let (kept, last) = (self.kept(), *self.last.borrow());
        let events = kept.after(number);
        let missed = (last - number.min(last)).saturating_sub(events.len() as u64);
        let events = events.into_iter().take(limit).cloned().collect();
        Page { run: self.run, events, missed, last }
    }

    /// The last `limit` events that are kept.
    pub fn last(&self, limit: usize) -> Page {
        let kept = self.kept();
        let events = kept.after(0);
        let events = events[events.len().saturating_sub(limit)..].iter().map(|event| (*event).clone()).collect();
        Page { run: self.run, events, missed: 0, last: *self.last.borrow() }
    }

    /// Tells the number of the last event whenever there is a new one.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Events are plain values: a panic elsewhere cannot have left them half written.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EventState;

    fn event(kind: EventKind, state: EventState) -> Event {
        Event::of_pool(kind, state, "core", String::new())
    }

    fn numbers(page: &Page) -> Vec<u64> {
        page.events.iter().map(|event| event.number).collect()
    }

    #[test]
    fn the_latest_events_are_kept_and_missed_ones_are_counted() {
        let log = EventLog::default();
        assert_eq!(log.last(5), Page { run: log.run, events: Vec::new(), missed: 0, last: 0 });
        log.record((0..3).map(|_| event(EventKind::Health, EventState::Up)));
        assert_eq!(numbers(&log.after(1, 10)), [2, 3]);
        assert_eq!(numbers(&log.after(0, 2)), [1, 2]);
        assert_eq!(numbers(&log.last(2)), [2, 3]);
        assert_eq!(numbers(&log.after(3, 10)), [0; 0]);
        let known = |run, number| log.known(run, number);
        assert_eq!((known(None, 3), known(Some(log.run), 3)), (3, 3));
        assert_eq!((known(None, 4), known(Some(log.run + 1), 3)), (0, 0), "numbers of another run");
        log.record([event(EventKind::Nomination, EventState::Active)]);
        log.record((0..KEPT).map(|_| event(EventKind::Health, EventState::Up)));
        let page = log.after(1, 2);
        let first_kept = 4 + KEPT as u64 / 2 + 1;
        assert_eq!(
            numbers(&page),
            [4, first_kept],
            "events that nodes can cause do not push out overrides and nominations"
        );
        assert_eq!((page.missed, page.last), (2 + KEPT as u64 / 2, 4 + KEPT as u64));
        assert_eq!(log.last(KEPT * 2).events.len(), KEPT / 2 + 1);
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken() {
        let log = EventLog::default();
        let mut watch = log.watch();
        log.record([event(EventKind::Pool, EventState::Loaded)]);
        watch.changed().await.unwrap();
        assert_eq!(*watch.borrow_and_update(), 1);
    }
}
