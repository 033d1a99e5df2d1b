//! The event log: the latest events of this run of the server, in order.
//!
//! Each component that changes something records events here. The log writes each event into the
//! log of the process, keeps it for the API, and puts it into the queues of the notifications.
//! Recording never fails and never waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::{info, warn};

use super::event::{Event, EventKind};
use super::queue::Queue;

/// Events that are kept: half of them of the kinds that nodes can cause without end, half of all
/// others. So a flapping node does not push overrides and changes of tiers out of the log.
pub const KEPT: usize = 1000;

/// Keeps the latest events. A full log drops the oldest one.
#[derive(Debug)]
pub struct EventLog {
    /// The run of the server to which the numbers belong: its start in milliseconds since 1970.
    run: u64,
    kept: Mutex<Kept>,
    /// Number of the last event, for readers that wait for the next one.
    last: watch::Sender<u64>,
    /// Queues of the notifications. A notification that ends drops its queue.
    queues: Mutex<Vec<Weak<Queue>>>,
}

/// Events in two rings, each in order.
#[derive(Debug, Default)]
struct Kept {
    /// Kinds that nodes can cause without end.
    frequent: VecDeque<Event>,
    rare: VecDeque<Event>,
}

impl Kept {
    /// Adds an event. A full ring drops its oldest one.
    fn push(&mut self, event: Event) {
        let is_frequent = matches!(event.kind, EventKind::Health | EventKind::Standby | EventKind::Ejection);
        let ring = if is_frequent { &mut self.frequent } else { &mut self.rare };
        if ring.len() == KEPT / 2 {
            ring.pop_front();
        }
        ring.push_back(event);
    }

    /// The events with a number above `number`, in ascending order.
    fn after(&self, number: u64) -> Vec<&Event> {
        let both = self.frequent.iter().chain(&self.rare);
        let mut events: Vec<_> = both.filter(|event| event.number > number).collect();
        events.sort_unstable_by_key(|event| event.number);
        events
    }
}

/// The response to a request for events.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Page {
    /// The run of the server: the numbers of each run start at 1.
    pub run: u64,
    /// In the order in which they happened.
    pub events: Vec<Event>,
    /// Events after the requested number that the log does not have any more.
    pub missed: u64,
    /// Number of the last event of the run.
    pub last: u64,
}

impl Default for EventLog {
    fn default() -> Self {
        let run = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        Self { run, kept: Mutex::default(), last: watch::Sender::new(0), queues: Mutex::default() }
    }
}

impl EventLog {
    /// Gives events their number and time, writes them into the log of the process, and keeps them.
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
            queues.retain(|queue| queue.upgrade().map(|queue| queue.push(&event)).is_some());
            kept.push(event);
        }
        // Replaced even if no reader waits.
        self.last.send_replace(last);
    }

    /// A queue that gets all events of some kinds from now on, until it is dropped.
    pub(super) fn queue(&self, kinds: Vec<EventKind>) -> Arc<Queue> {
        let queue = Arc::new(Queue::new(kinds));
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&queue));
        queue
    }

    /// Returns a number that a reader has from an earlier page, or 0 if it is of another run, whose
    /// events are lost.
    pub fn number_of_this_run(&self, run: Option<u64>, number: u64) -> u64 {
        let is_of_this_run = run.is_none_or(|run| run == self.run) && number <= *self.last.borrow();
        if is_of_this_run { number } else { 0 }
    }

    /// At most `limit` events after a number.
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

    /// A channel that has the number of the last event.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// Locks the rings.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Every event in the rings is complete, even after a panic, so lock poisoning is ignored.
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
        let number = |run, number| log.number_of_this_run(run, number);
        assert_eq!((number(None, 3), number(Some(log.run), 3)), (3, 3));
        assert_eq!((number(None, 4), number(Some(log.run + 1), 3)), (0, 0), "numbers of another run");
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
