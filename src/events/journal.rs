//! The last events, in order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::{info, warn};

use super::queue::Queue;
use super::{Event, Kind};

/// Events that are kept.
pub const KEPT: usize = 1000;

/// Keeps the last events. One that is full forgets the oldest, so that it never holds anybody up.
#[derive(Debug)]
pub struct Journal {
    /// When it began, in milliseconds since 1970: which run of the server its numbers belong to.
    run: u64,
    kept: Mutex<VecDeque<Event>>,
    /// Number of the last event, for those who wait.
    last: watch::Sender<u64>,
    /// Queues of those who are told.
    queues: Mutex<Vec<Weak<Queue>>>,
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

impl Default for Journal {
    fn default() -> Self {
        let run = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        Self { run, kept: Mutex::default(), last: watch::Sender::new(0), queues: Mutex::default() }
    }
}

impl Journal {
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
            if kept.len() == KEPT {
                kept.pop_front();
            }
            let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody empties a queue that is gone.
            queues.retain(|queue| queue.upgrade().map(|queue| queue.offer(&event)).is_some());
            kept.push_back(event);
        }
        // Nobody needs to wait for it.
        self.last.send_replace(last);
    }

    /// A queue of all events of some kinds from now on, for as long as somebody holds it.
    pub(super) fn queue(&self, kinds: Vec<Kind>) -> Arc<Queue> {
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
        let kept = self.kept();
        let oldest = kept.front().map_or(0, |event| event.number);
        let missed = oldest.saturating_sub(number.saturating_add(1));
        let events = kept.iter().filter(|event| event.number > number).take(limit).cloned().collect();
        Page { run: self.run, events, missed, last: *self.last.borrow() }
    }

    /// The last `limit` events.
    pub fn last(&self, limit: usize) -> Page {
        let last = *self.last.borrow();
        Page { missed: 0, ..self.after(last.saturating_sub(limit as u64), limit) }
    }

    /// Tells the number of the last event whenever there is a new one.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Event>> {
        // Events are plain values: a panic elsewhere cannot have left them half written.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    fn numbers(page: &Page) -> Vec<u64> {
        page.events.iter().map(|event| event.number).collect()
    }

    #[test]
    fn the_last_events_are_kept_and_what_is_missed_is_told() {
        let journal = Journal::default();
        assert_eq!(journal.last(5), Page { run: journal.run, events: Vec::new(), missed: 0, last: 0 });
        journal.record((0..3).map(|i| Kind::Health.of("core", "up", format!("event {i}"))));
        assert_eq!(numbers(&journal.after(1, 10)), [2, 3]);
        assert_eq!(numbers(&journal.after(0, 2)), [1, 2]);
        assert_eq!(numbers(&journal.last(2)), [2, 3]);
        assert_eq!(numbers(&journal.after(3, 10)), [0; 0]);
        let known = |run, number| journal.known(run, number);
        assert_eq!((known(None, 3), known(Some(journal.run), 3)), (3, 3));
        assert_eq!((known(None, 4), known(Some(journal.run + 1), 3)), (0, 0), "numbers of another run");
        journal.record((0..KEPT).map(|_| Kind::Pool.of("core", "loaded", String::new())));
        let page = journal.after(1, 1);
        assert_eq!((numbers(&page), page.missed, page.last), (vec![4], 2, 3 + KEPT as u64));
        assert_eq!(journal.last(KEPT * 2).events.len(), KEPT);
    }

    #[tokio::test]
    async fn those_who_wait_are_woken() {
        let journal = Journal::default();
        let mut watch = journal.watch();
        journal.record([Kind::Pool.of("core", "loaded", String::new())]);
        watch.changed().await.unwrap();
        assert_eq!(*watch.borrow_and_update(), 1);
    }
}
