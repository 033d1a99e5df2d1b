//! Zone files: from text to a [`Zone`](super::Zone), with diagnostics for everything that is wrong.
//!
//! In reading order:
//!
//! 1. `include` is how the reader gets the files that a zone file includes
//! 2. `entries` cuts a text into entries and words
//! 3. `load` follows the directives; `record` reads an entry as a record
//! 4. `rdata` reads the rdata of a record, by the `format` of its type, as `fields` or with hickory
//! 5. `check` looks at all records together; `build` makes the zone
//!
//! The configuration reader of the server calls [`load()`]. An error does not stop it, so that one
//! run reports all problems of a file.

mod build;
mod check;
mod entries;
mod fields;
mod format;
mod include;
mod load;
mod period;
mod rdata;
mod rdata_error;
mod record;

pub use include::{NoIncludes, ReadIncluded};
pub use load::load;
