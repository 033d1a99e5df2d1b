//! Notifications: one queue and one task for each.
//!
//! The daemon starts the [`Notifiers`], and replaces them at a reload. If a webhook cannot be set
//! up, its task logs that and ends.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use super::delivery::Delivery;
use super::event::EventKind;
use super::event_log::EventLog;
use super::queue::Queue;
use super::webhook::{Sender, Webhook};
use crate::abort_on_panic;
use crate::log_throttle::LogThrottle;
use crate::program::Program;

/// A configured notification.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// As in the configuration.
    pub name: String,
    /// Where events go.
    pub to: Recipient,
    /// The kinds of events that it gets.
    pub kinds: Vec<EventKind>,
    /// For one attempt.
    pub timeout: Duration,
    /// How old an event can become before it is given up.
    pub retry_for: Duration,
}

/// Where events go.
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
    log: Arc<EventLog>,
    running: Vec<Notifier>,
}

/// The task of one notification.
#[derive(Debug)]
struct Notifier {
    notification: Notification,
    queue: Arc<Queue>,
    _task: AbortOnDropHandle<()>,
}

impl Notifiers {
    /// Starts to deliver the events that follow.
    pub fn start(log: Arc<EventLog>, notifications: Vec<Notification>) -> Self {
        let mut notifiers = Self { log, running: Vec::new() };
        notifiers.replace(notifications);
        notifiers
    }

    /// Replaces the notifications by those of another configuration.
    ///
    /// A notification that stays, by its name, keeps its waiting events. A new one gets the events
    /// that follow.
    pub fn replace(&mut self, notifications: Vec<Notification>) {
        let mut before = std::mem::take(&mut self.running);
        for notification in notifications {
            let same_name = before.iter().position(|notifier| notifier.notification.name == notification.name);
            self.running.push(match same_name.map(|index| before.swap_remove(index)) {
                Some(unchanged) if unchanged.notification == notification => unchanged,
                Some(Notifier { queue, _task, .. }) => {
                    queue.set_kinds(notification.kinds.clone());
                    Notifier::start(notification, queue)
                }
                None => {
                    let queue = self.log.queue(notification.kinds.clone());
                    Notifier::start(notification, queue)
                }
            });
        }
    }
}

impl Notifier {
    /// Starts the task.
    fn start(notification: Notification, queue: Arc<Queue>) -> Self {
        let task = deliver_all(notification.clone(), Arc::clone(&queue));
        Self { notification, queue, _task: AbortOnDropHandle::new(tokio::spawn(abort_on_panic::task(task))) }
    }
}

/// Delivers the events of a queue, one after the other, until the task is aborted.
async fn deliver_all(Notification { name, to, timeout, retry_for, .. }: Notification, queue: Arc<Queue>) {
    let mut delivery = match &to {
        Recipient::Program(program) => Delivery::to_program(&name, program),
        Recipient::Webhook(webhook) => match Sender::new(webhook) {
            Ok(sender) => Delivery::to_webhook(&name, sender),
            Err(error) => return warn!("notification {name} cannot be sent: {error}"),
        },
    };
    let (mut lost, mut log) = (0, LogThrottle::default());
    loop {
        let (waiting, newly_lost) = queue.oldest().await;
        lost += newly_lost;
        if lost > 0 && log.is_due() {
            let lost = std::mem::take(&mut lost);
            warn!("notification {name}: {lost} events are lost, too many were waiting");
        }
        delivery.deliver(&waiting, timeout, retry_for).await;
        queue.remove(&waiting.event);
    }
}
