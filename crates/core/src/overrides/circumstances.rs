//! The circumstances of an override or a nomination, for messages.

use crate::actor::Actor;
use crate::time::format_utc;

/// The actor, the end and the reason: ` by ops until 2026-11-20T14:00:00Z (patching)`.
pub(super) fn circumstances(by: &Actor, until: Option<u64>, why: &str) -> String {
    let until = until.map(|until| format!(" until {}", format_utc(until))).unwrap_or_default();
    let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
    format!(" by {by}{until}{why}")
}
