//! Delivers one event to its recipient, again and again until it is accepted or too old.

use std::time::Duration;

use evenkeel_core::plural::counted;
use tracing::{info, warn};

use super::delivery_error::DeliveryError;
use super::event::Event;
use super::queue::Waiting;
use super::webhook::Sender;
use crate::log_throttle::LogThrottle;
use crate::program::Program;

/// Wait after the first failed attempt; each further wait is twice as long.
const MIN_WAIT: Duration = Duration::from_secs(1);

/// Longest wait between two attempts.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Delivers the events of one notification.
pub(super) struct Delivery<'n> {
    /// Name of the notification.
    name: &'n str,
    channel: Channel<'n>,
    retry_log: LogThrottle,
    given_up_log: LogThrottle,
    /// Events that were given up since the last line of `given_up_log`.
    given_up: u64,
}

/// The way to the recipient, ready for use.
enum Channel<'n> {
    Webhook(Box<Sender>),
    Program(&'n Program),
}

impl Channel<'_> {
    /// The reason if an attempt takes longer than `timeout`.
    fn timed_out(&self, timeout: Duration) -> String {
        match self {
            Self::Webhook(_) => format!("no answer within {timeout:?}"),
            Self::Program(_) => format!("did not finish within {timeout:?}"),
        }
    }
}

impl<'n> Delivery<'n> {
    /// Delivers events to a webhook.
    pub(super) fn to_webhook(name: &'n str, sender: Sender) -> Self {
        Self::new(name, Channel::Webhook(Box::new(sender)))
    }

    /// Delivers events to a program.
    pub(super) fn to_program(name: &'n str, program: &'n Program) -> Self {
        Self::new(name, Channel::Program(program))
    }

    fn new(name: &'n str, channel: Channel<'n>) -> Self {
        let (retry_log, given_up_log) = (LogThrottle::default(), LogThrottle::default());
        Self { name, channel, retry_log, given_up_log, given_up: 0 }
    }

    /// Delivers one event. Each attempt may take `timeout`, the last one begins after `retry_for`.
    pub(super) async fn deliver(&mut self, waiting: &Waiting, timeout: Duration, retry_for: Duration) {
        let Waiting { event, since } = waiting;
        let (name, text) = (self.name, &event.text);
        let mut wait = MIN_WAIT;
        let mut attempt = 1;
        loop {
            let failure = match tokio::time::timeout(timeout, self.attempt(event)).await {
                Ok(Ok(())) => break,
                Ok(Err(failure)) => failure,
                Err(_) => DeliveryError::Temporary(self.channel.timed_out(timeout)),
            };
            let age = since.elapsed();
            match failure {
                DeliveryError::Temporary(why) if age < retry_for => {
                    if attempt == 1 && self.retry_log.is_due() {
                        warn!("notification {name} is not accepted and will be sent again, {why}: \"{text}\"");
                    }
                }
                DeliveryError::Temporary(why) | DeliveryError::Permanent(why) => {
                    return self.give_up(event, attempt, &why);
                }
            }
            // Random, so that several servers do not send at the same moment. The last attempt is
            // made when `retry_for` is over.
            tokio::time::sleep(wait.mul_f64(0.8 + 0.4 * fastrand::f64()).min(retry_for - age)).await;
            wait = (wait * 2).min(MAX_WAIT);
            attempt += 1;
        }
        if attempt > 1 {
            info!("notification {name} is accepted at attempt {attempt}: \"{text}\"");
        }
    }

    /// Tries once to deliver an event.
    async fn attempt(&self, event: &Event) -> Result<(), DeliveryError> {
        match &self.channel {
            Channel::Webhook(sender) => sender.send(event).await,
            Channel::Program(program) => run(program, event).await,
        }
    }

    /// Counts an event that is not delivered, and logs it if a line is due.
    fn give_up(&mut self, event: &Event, attempts: u32, why: &str) {
        self.given_up += 1;
        if !self.given_up_log.is_due() {
            return;
        }
        let attempts = counted(attempts as usize, "attempt", "attempts");
        let more = match std::mem::take(&mut self.given_up) {
            1 => String::new(),
            count => format!(", {count} since the last such line"),
        };
        warn!("notification {} is given up after {attempts}, {why}: \"{}\"{more}", self.name, event.text);
    }
}

/// Runs a program with an event in its environment.
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
