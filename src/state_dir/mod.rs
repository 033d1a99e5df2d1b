//! The directory for state that survives a restart: overrides (`override_store`), health
//! (`health_store`) and the secrets of cookies (`cookie_store`).
//!
//! `json_file` writes files so that they survive a crash. [`lock`] ensures that only one server
//! uses the directory at a time. The daemon opens all of them at the start, and fails if the
//! directory cannot be used.

mod cookie_store;
mod health_store;
mod json_file;
mod override_store;

use std::fs::{self, File};
use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

pub(crate) use cookie_store::CookieStore;
pub(crate) use health_store::{read_health, store_health, write_health};
pub(crate) use override_store::{OpenedStore, OverrideStore};

/// Locks a directory for as long as the returned file is open. Creates the directory if it is
/// missing.
///
/// # Errors
/// The directory cannot be used, or another server has locked it. Two servers would overwrite each
/// other's files.
pub(crate) fn lock(directory: &Path) -> io::Result<Flock<File>> {
    fs::create_dir_all(directory)?;
    let file = File::create(directory.join("lock"))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EWOULDBLOCK => io::Error::new(io::ErrorKind::ResourceBusy, "another server uses it"),
        other => other.into(),
    })
}
