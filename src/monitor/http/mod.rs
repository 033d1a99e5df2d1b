//! Monitors of kind `http`: `check` is what is asked and how a response is judged, `probe` asks it.

mod check;
mod probe;

pub use check::{BodyCondition, BusyCheck, HttpCheck, JsonCondition, JsonTest};
pub(super) use probe::Probe;
