//! What happened: one type of event for the log, the API and notifications.
//!
//! Whoever changes something [`record`](Journal::record)s an event. The [`Journal`] writes it into the log, keeps the last
//! ones for those who ask, and puts each into the queues of the [`Notifiers`] that want it.

mod journal;
mod notify;
mod queue;
mod webhook;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use journal::{Journal, KEPT, Page};
pub use notify::{Notification, Notifiers, Recipient};
pub use webhook::{SIGNATURE, SOURCE, Secret, Webhook};

/// Something that happened.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Event {
    /// Counts from 1 while the process lives.
    pub number: u64,
    /// When, in UTC: `2026-11-20T14:00:00.123Z`.
    pub at: String,
    /// Of what kind.
    pub kind: Kind,
    /// What is so from now on; one of a few words for each kind.
    pub state: String,
    /// Whether somebody should look.
    pub warning: bool,
    /// The pool that it concerns.
    pub pool: String,
    /// The node, when it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Its address, when it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Who caused it, when it was somebody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// All of it in words, as the log has it.
    pub text: String,
}

/// The kinds of events.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An address is `up`, `down` or `unknown`.
    Health,
    /// A spare is alive (`up`) or not (`down`), by the monitors for spares, or is seen to be `not_serving`.
    Standby,
    /// An address that answers badly is `kept` in the answers, or `ejected` after all.
    Ejection,
    /// A pool is answered by another rule: `active`, `backup`, `unknown`, `fail_open`, `servfail`, `nodata`, `fallback`.
    Answers,
    /// A node is `drained`, `forced_up`, `forced_down`, or `resumed`.
    Override,
    /// A node is `active` or `backup` from now on, or a nomination has `failed` or `ended`.
    Nomination,
    /// A pool is `loaded`.
    Pool,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Health, Self::Standby, Self::Ejection, Self::Answers, Self::Override, Self::Nomination, Self::Pool];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Standby => "standby",
            Self::Ejection => "ejection",
            Self::Answers => "answers",
            Self::Override => "override",
            Self::Nomination => "nomination",
            Self::Pool => "pool",
        }
    }

    /// An event of this kind about a pool.
    pub fn of(self, pool: &str, state: &str, text: String) -> Event {
        let (pool, state) = (pool.to_owned(), state.to_owned());
        let (node, address, by) = (None, None, None);
        Event { number: 0, at: String::new(), kind: self, state, warning: false, pool, node, address, by, text }
    }
}

impl Event {
    /// It concerns a node.
    #[must_use]
    pub fn node(self, node: &str) -> Self {
        Self { node: Some(node.to_owned()), ..self }
    }

    /// It concerns one address of a node.
    #[must_use]
    pub fn address(self, address: IpAddr) -> Self {
        Self { address: Some(address), ..self }
    }

    /// Somebody has caused it.
    #[must_use]
    pub fn by(self, by: &str) -> Self {
        Self { by: Some(by.to_owned()), ..self }
    }

    /// Somebody should look.
    #[must_use]
    pub fn warning(self) -> Self {
        Self { warning: true, ..self }
    }
}
