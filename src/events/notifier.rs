//! Notifications: events carried to somebody else, one after the other, and tried again until they are taken.
//!
//! Each notification has a queue, which the journal fills with what is wanted, and a task that empties it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::delivery::DeliveryError;
use super::event::{Event, EventKind};
use super::event_log::EventLog;
use super::queue::{Queue, Waiting};
use super::webhook::{Sender, Webhook};
use crate::abort_on_panic;
use crate::log_throttle::LogThrottle;
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
    pub kinds: Vec<EventKind>,
    /// For one attempt.
    pub timeout: Duration,
    /// How old an event may become before it is given up.
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

/// The tasks of all notifications.
#[derive(Debug)]
pub struct Notifiers {
    journal: Arc<EventLog>,
    running: Vec<Notifier>,
}

/// The task of one.
#[derive(Debug)]
struct Notifier {
    notification: Notification,
    queue: Arc<Queue>,
    _task: AbortOnDropHandle<()>,
}

impl Notifiers {
    /// Tells of what happens from now on.
    pub fn start(journal: Arc<EventLog>, notifications: Vec<Notification>) -> Self {
        let mut notifiers = Self { journal, running: Vec::new() };
        notifiers.replace(notifications);
        notifiers
    }

    /// Tells according to another configuration. What waits for somebody who stays is told as the new one says; one that
    /// is new begins with what happens from now on.
    pub fn replace(&mut self, notifications: Vec<Notification>) {
        let mut before = std::mem::take(&mut self.running);
        for notification in notifications {
            let known = before.iter().position(|notifier| notifier.notification.name == notification.name);
            self.running.push(match known.map(|known| before.swap_remove(known)) {
                Some(same) if same.notification == notification => same,
                Some(Notifier { queue, _task, .. }) => {
                    queue.want(notification.kinds.clone());
                    Notifier::start(notification, queue)
                }
                None => {
                    let queue = self.journal.queue(notification.kinds.clone());
                    Notifier::start(notification, queue)
                }
            });
        }
    }
}

impl Notifier {
    fn start(notification: Notification, queue: Arc<Queue>) -> Self {
        let telling = tell(notification.clone(), Arc::clone(&queue));
        Self { notification, queue, _task: AbortOnDropHandle::new(tokio::spawn(abort_on_panic::task(telling))) }
    }
}

/// Tells one recipient of everything that it wants to know, for as long as it runs.
async fn tell(notification: Notification, queue: Arc<Queue>) {
    let name = &notification.name;
    let carrier = match &notification.to {
        Recipient::Program(program) => Carrier::Program(program),
        Recipient::Webhook(webhook) => match Sender::new(webhook) {
            Ok(sender) => Carrier::Webhook(Box::new(sender)),
            Err(error) => return warn!("notification {name} cannot be sent: {error}"),
        },
    };
    let (mut all_lost, mut log, mut troubles) = (0, LogThrottle::default(), Troubles::default());
    loop {
        let (waiting, lost) = queue.next().await;
        all_lost += lost;
        if all_lost > 0 && log.is_due() {
            let lost = std::mem::take(&mut all_lost);
            warn!("notification {name}: {lost} events are lost, there was no room for them to wait");
        }
        deliver(&notification, &carrier, &waiting, &mut troubles).await;
        queue.done(&waiting.event);
    }
}

/// What is told of one recipient at most once in a while.
#[derive(Default)]
struct Troubles {
    not_taken: LogThrottle,
    given_up_log: LogThrottle,
    /// Events that were given up since that was told.
    given_up: u64,
}

/// Tells of one event until it is taken, or too old.
async fn deliver(
    notification: &Notification,
    carrier: &Carrier<'_>,
    Waiting { event, since }: &Waiting,
    troubles: &mut Troubles,
) {
    let Notification { name, timeout, retry_for, .. } = notification;
    let mut wait = SHORTEST_WAIT;
    let mut tries = 1;
    loop {
        let refusal = match tokio::time::timeout(*timeout, carrier.carry(event)).await {
            Ok(Ok(())) => break,
            Ok(Err(refusal)) => refusal,
            Err(_) => DeliveryError::Temporary(format!("no answer within {timeout:?}")),
        };
        let (text, age) = (&event.text, since.elapsed());
        match refusal {
            DeliveryError::Temporary(why) if age < *retry_for => {
                if tries == 1 && troubles.not_taken.is_due() {
                    warn!("notification {name} is not taken and will be tried again, {why}: \"{text}\"");
                }
            }
            DeliveryError::Temporary(why) | DeliveryError::Permanent(why) => {
                let times = if tries == 1 { "attempt" } else { "attempts" };
                troubles.given_up += 1;
                if troubles.given_up_log.is_due() {
                    let more = match std::mem::take(&mut troubles.given_up) {
                        1 => String::new(),
                        count => format!(", {count} since the last such line"),
                    };
                    warn!("notification {name} is given up after {tries} {times}, {why}: \"{text}\"{more}");
                }
                return;
            }
        }
        // Spread, so that several servers do not come at the same moment.
        // The last attempt comes when the time is over.
        tokio::time::sleep(wait.mul_f64(0.8 + 0.4 * fastrand::f64()).min(*retry_for - age)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
        tries += 1;
    }
    if tries > 1 {
        info!("notification {name} is taken at attempt {tries}: \"{}\"", event.text);
    }
}

/// A recipient, ready to be told.
enum Carrier<'n> {
    Webhook(Box<Sender>),
    Program(&'n Program),
}

impl Carrier<'_> {
    async fn carry(&self, event: &Event) -> Result<(), DeliveryError> {
        match self {
            Self::Webhook(sender) => sender.send(event).await,
            Self::Program(program) => run(program, event).await,
        }
    }
}

async fn run(program: &Program, event: &Event) -> Result<(), DeliveryError> {
    let json = serde_json::to_string(event).map_err(|error| DeliveryError::Permanent(error.to_string()))?;
    let environment = [
        ("EVENKEEL_EVENT", json.as_str()),
        ("EVENKEEL_KIND", event.kind.name()),
        ("EVENKEEL_STATE", event.state.name()),
        ("EVENKEEL_POOL", &event.pool),
        ("EVENKEEL_NODE", event.node.as_deref().unwrap_or_default()),
        ("EVENKEEL_TEXT", &event.text),
    ];
    match program.run(&environment).await {
        Ok(ended) => ended.map_err(|ended| DeliveryError::Temporary(ended.to_string())),
        Err(error) => Err(DeliveryError::Temporary(error.to_string())),
    }
}
