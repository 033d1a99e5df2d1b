//! Zone files: from text to a [`Zone`](super::Zone), with diagnostics for everything that is wrong.
//!
//! In reading order:
//!
//! 1. `include` is how the reader gets the files that a zone file includes
//! 2. `entries` cuts a text into entries and words
//! 3. `load` follows the directives, `generate` the numbers of `$GENERATE`; `record` reads an entry
//!    as a record, `ttl` its TTL
//! 4. `rdata` reads the rdata of a record as the fields of its type
//! 5. `check` looks at all records by their `owners`; `build` makes the zone
//!
//! The configuration reader of the server calls [`load()`]. An error does not stop it, so that one
//! run reports all problems of a file; `problems` limits the number of warnings.

mod build;
mod check;
mod entries;
mod generate;
mod include;
mod load;
mod owners;
mod period;
mod problems;
mod rdata;
mod record;
mod ttl;

pub use include::{NoIncludes, ReadIncluded};
pub use load::{load, load_with_shared_names};
