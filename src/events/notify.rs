//! Notifications: events carried to somebody else, one after the other, and tried again until they are taken.
//!
//! Each notification has a task that reads the journal from where it is. So the journal is its queue: bounded, and when
//! whoever should take events is away for longer than it holds, the oldest are lost and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::webhook::{Sender, Webhook};
use super::{Event, Journal, Kind};
use crate::program::Program;

/// First wait after a failure; each further one is twice as long.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// Longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Somebody to be told of events.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// As in the configuration.
    pub name: String,
    /// How.
    pub to: Recipient,
    /// Of which kinds.
    pub kinds: Vec<Kind>,
    /// For one attempt.
    pub timeout: Duration,
    /// How long one event is tried.
    pub retry_for: Duration,
}

/// Ways to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Recipient {
    /// A request with the event as JSON.
    Webhook(Box<Webhook>),
    /// A program with the event in its environment.
    Program(Program),
}

/// Why an attempt has failed.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Another one may succeed.
    ForNow(String),
    /// No other one will.
    ForGood(String),
}

/// The tasks of all notifications.
#[derive(Debug)]
pub struct Notifiers {
    journal: Arc<Journal>,
    running: Vec<Notifier>,
}

/// The task of one.
#[derive(Debug)]
struct Notifier {
    notification: Notification,
    /// Number of the last event that is done with.
    done: Arc<AtomicU64>,
    _task: AbortOnDropHandle<()>,
}

impl Notifiers {
    /// Tells of what happens from the beginning of the journal on.
    pub fn start(journal: Arc<Journal>, notifications: Vec<Notification>) -> Self {
        let running =
            notifications.into_iter().map(|notification| Notifier::start(&journal, notification, 0)).collect();
        Self { journal, running }
    }

    /// Tells according to another configuration: one that is as before goes on, one that has changed goes on where it was,
    /// and a new one begins with what happens from now on.
    pub fn replace(&mut self, notifications: Vec<Notification>) {
        let now = self.journal.last(0).last;
        let mut before = std::mem::take(&mut self.running);
        for notification in notifications {
            let known = before.iter().position(|notifier| notifier.notification.name == notification.name);
            let known = known.map(|known| before.swap_remove(known));
            self.running.push(match known {
                Some(same) if same.notification == notification => same,
                Some(other) => Notifier::start(&self.journal, notification, other.done.load(Ordering::Relaxed)),
                None => Notifier::start(&self.journal, notification, now),
            });
        }
    }
}

impl Notifier {
    fn start(journal: &Arc<Journal>, notification: Notification, from: u64) -> Self {
        let done = Arc::new(AtomicU64::new(from));
        let telling = tell(Arc::clone(journal), notification.clone(), Arc::clone(&done));
        Self { notification, done, _task: AbortOnDropHandle::new(tokio::spawn(telling)) }
    }
}

/// Tells one recipient of everything that it wants to know, for as long as it runs.
async fn tell(journal: Arc<Journal>, notification: Notification, done: Arc<AtomicU64>) {
    let name = &notification.name;
    let carrier = match &notification.to {
        Recipient::Program(program) => Carrier::Program(program),
        Recipient::Webhook(webhook) => match Sender::new(webhook) {
            Ok(sender) => Carrier::Webhook(Box::new(sender)),
            Err(error) => return warn!("notification {name} cannot be sent: {error}"),
        },
    };
    let mut watch = journal.watch();
    loop {
        let before = done.load(Ordering::Relaxed);
        if watch.wait_for(|last| *last > before).await.is_err() {
            return;
        }
        let page = journal.after(before, 1);
        if page.missed > 0 {
            warn!("notification {name}: {} events are lost, they were kept no longer", page.missed);
        }
        for event in page.events {
            if notification.kinds.contains(&event.kind) {
                deliver(&notification, &carrier, &event).await;
            }
            done.store(event.number, Ordering::Relaxed);
        }
    }
}

/// Tells of one event until it is taken, or for as long as it is worth.
async fn deliver(notification: &Notification, carrier: &Carrier<'_>, event: &Event) {
    let Notification { name, timeout, retry_for, .. } = notification;
    let began = Instant::now();
    let mut wait = SHORTEST_WAIT;
    let mut tries = 1;
    loop {
        let refusal = match tokio::time::timeout(*timeout, carrier.carry(event)).await {
            Ok(Ok(())) => break,
            Ok(Err(refusal)) => refusal,
            Err(_) => Refusal::ForNow(format!("no answer within {timeout:?}")),
        };
        let number = event.number;
        match refusal {
            Refusal::ForNow(why) if began.elapsed() + wait < *retry_for => {
                if tries == 1 {
                    warn!("notification {name}: event {number} is not taken, it will be tried again: {why}");
                }
            }
            Refusal::ForNow(why) | Refusal::ForGood(why) => {
                return warn!("notification {name}: event {number} is given up after {tries} attempts: {why}");
            }
        }
        // Spread, so that several servers do not come at the same moment.
        tokio::time::sleep(wait.mul_f64(0.8 + 0.4 * fastrand::f64())).await;
        wait = (wait * 2).min(LONGEST_WAIT);
        tries += 1;
    }
    if tries > 1 {
        info!("notification {name}: event {} is taken at attempt {tries}", event.number);
    }
}

/// A recipient, ready to be told.
enum Carrier<'n> {
    Webhook(Box<Sender>),
    Program(&'n Program),
}

impl Carrier<'_> {
    async fn carry(&self, event: &Event) -> Result<(), Refusal> {
        match self {
            Self::Webhook(sender) => sender.send(event).await,
            Self::Program(program) => run(program, event).await,
        }
    }
}

async fn run(program: &Program, event: &Event) -> Result<(), Refusal> {
    let json = serde_json::to_string(event).map_err(|error| Refusal::ForGood(error.to_string()))?;
    let environment = [
        ("EVENKEEL_EVENT", json.as_str()),
        ("EVENKEEL_KIND", event.kind.word()),
        ("EVENKEEL_STATE", &event.state),
        ("EVENKEEL_POOL", &event.pool),
        ("EVENKEEL_NODE", event.node.as_deref().unwrap_or_default()),
        ("EVENKEEL_TEXT", &event.text),
    ];
    match program.run(&environment).await {
        Ok(ended) => ended.map_err(|ended| Refusal::ForNow(ended.to_string())),
        Err(error) => Err(Refusal::ForNow(error.to_string())),
    }
}
