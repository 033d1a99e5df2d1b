//! Events: what happened, for the log, the API and notifications.
//!
//! The component that changes something records an [`Event`] in the [`EventLog`]. The log keeps it
//! for the API, and puts it into the `queue` of each notification of its kind. The [`Notifiers`]
//! run one task per notification, which delivers the events of its queue (`delivery`), to a
//! `webhook` or to a program. A failed delivery is tried again; it never delays anything else.

mod delivery;
mod delivery_error;
mod event;
mod event_log;
mod notifier;
mod queue;
mod webhook;

pub use event::{Event, EventKind, EventState};
pub use event_log::{EventLog, KEPT, Page};
pub use notifier::{Notification, Notifiers, Recipient};
pub use webhook::{SIGNATURE, SOURCE, Secret, Webhook};
