//! Diagnostics: what is wrong with a file, at which place, and what would be accepted.
//!
//! ```text
//! config/lb.toml:14:11: error: pool "web" uses monitor "htp-80", which is not defined
//! 14 | monitors = ["htp-80"]
//!    |             ^^^^^^^^ defined monitors: http-80, tcp-443
//! ```
//!
//! In reading order: `source` is the text of a file and makes diagnostics with a place in it,
//! `diagnostic` shows them, `suggestion` finds a defined name that is like an unknown one.
//!
//! The readers of configurations and of zone files collect [`Diagnostics`]. They do not stop at the
//! first problem, so that one run of `evenkeel check` shows all.

#[allow(clippy::module_inception, reason = "the file is named for its type")]
mod diagnostic;
mod source;
mod suggestion;

pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use source::Source;
pub use suggestion::{defined, nearest};
