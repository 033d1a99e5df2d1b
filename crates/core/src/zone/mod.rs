//! Zones: loaded from zone files, then read by queries and never changed.
//!
//! In reading order:
//!
//! 1. `rtype` (with its `mnemonics`), `rrset` and `shared_name` are the data of one owner name
//! 2. `tree` is the map of names, `rrset_store` has all their RRsets; `zone` is an apex with the owner
//!    names below it
//! 3. `lookup` finds a name and a type in a zone: the [`Lookup`]
//! 4. `zones` finds the zone that answers for a name
//! 5. `file` reads a zone file and makes a [`Zone`] of it
//!
//! The configuration reader of the server calls [`load`] per zone, collects the zones in [`Zones`],
//! and adds shared names with [`Zone::share`]. [`crate::respond`] looks names up. A zone file with
//! an error gives diagnostics and no zone; a lookup cannot fail.

mod file;
mod lookup;
mod mnemonics;
mod rrset;
mod rrset_store;
mod rtype;
mod shared_name;
#[cfg(test)]
mod tests;
mod tree;
#[allow(clippy::module_inception, reason = "the file is named for its type")]
mod zone;
mod zones;

pub use file::{NoIncludes, ReadIncluded, load, load_with_shared_names};
pub use lookup::{Lookup, Redirection, Referral};
use rrset::Rrset;
pub use rrset::{RdataIter, Rdatas, RrsetRef};
pub use rtype::Rtype;
pub use shared_name::{SharedName, SharedNameConflict};
pub use zone::Zone;
pub use zones::Zones;
