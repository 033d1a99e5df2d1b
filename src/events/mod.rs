//! Events: what happened, for the log, the API and notifications.
//!
//! The component that changes something [`record`](EventLog::record)s an [`Event`]. The [`EventLog`] writes it
//! into the log, keeps the latest ones for the API, and puts each into the `queue` of every notification that
//! wants it. The [`Notifiers`] deliver them: to a `webhook`, or to a program.

mod delivery;
mod event;
mod event_log;
mod notifier;
mod queue;
mod webhook;

pub use event::{Event, EventKind, EventState};
pub use event_log::{EventLog, KEPT, Page};
pub use notifier::{Notification, Notifiers, Recipient};
pub use webhook::{SIGNATURE, SOURCE, Secret, Webhook};
