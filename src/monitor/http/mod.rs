//! Monitor kind `http`: a request to one address under the host name of the pool, judged by status
//! and body.
//!
//! In reading order: `check` is what the configuration says and how a response is judged,
//! `condition` judges a body, `request` builds the request, and `probe` sends it.

mod check;
mod condition;
mod probe;
mod request;
#[cfg(test)]
mod tests;

pub use check::{BusyCheck, HttpCheck};
pub use condition::{BodyCondition, JsonCondition, JsonTest};
pub(super) use probe::Probe;
