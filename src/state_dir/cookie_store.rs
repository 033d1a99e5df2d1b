//! The secrets of server cookies that the server makes itself, in one file of `state_dir`.
//!
//! The daemon opens it at the start, and asks [`CookieStore::roll`] once an hour. A secret makes
//! cookies for a day, and its cookies are accepted for a day after that. Without `state_dir`, a
//! restart makes all cookies useless, and clients get new ones with their next query.

use std::io;
use std::path::{Path, PathBuf};

use evenkeel_core::clients::CookieSecrets;
use serde::{Deserialize, Serialize};

use super::json_file::{self, Found};

/// Name of the file in `state_dir`.
const FILE: &str = "cookies.json";

/// How long a secret makes cookies, in seconds.
const LIFETIME: u64 = 24 * 3600;

/// What the file holds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
struct Stored {
    /// Unix time, in seconds, from which `current` makes cookies.
    since: u64,
    current: [u8; 16],
    previous: Option<[u8; 16]>,
}

/// The secrets, with the file that keeps them.
#[derive(Debug)]
pub(crate) struct CookieStore {
    directory: Option<PathBuf>,
    stored: Stored,
}

impl CookieStore {
    /// Reads the secrets of a directory. Makes new ones if there are none, or if they are too old.
    ///
    /// # Errors
    /// The file cannot be read or written, or the system gives no random numbers.
    pub(crate) fn open(directory: Option<&Path>, unix: u64) -> io::Result<Self> {
        let found = directory.map(|directory| json_file::read::<Stored>(directory, FILE)).transpose()?;
        let stored = match found {
            Some(Found::Written(stored)) => Some(stored),
            // What a damaged file held is of no use: clients get new cookies.
            Some(Found::SetAside(_) | Found::Nothing) | None => None,
        };
        let is_new = stored.is_none();
        let stored = match stored {
            Some(stored) => stored,
            None => Stored { since: unix, current: random()?, previous: None },
        };
        let mut store = Self { directory: directory.map(Path::to_path_buf), stored };
        if is_new {
            store.write()?;
        }
        store.roll(unix)?;
        Ok(store)
    }

    /// The secrets as of the last call of [`Self::roll`].
    pub(crate) fn secrets(&self) -> CookieSecrets {
        CookieSecrets { current: self.stored.current, accepted: self.stored.previous.into_iter().collect() }
    }

    /// Replaces the secret if its time is over, or if it is from the future: the clock was wrong.
    /// Returns true if it was replaced.
    ///
    /// # Errors
    /// The system gives no random numbers: nothing has changed. Or the file cannot be written: then
    /// the new secret is lost at a restart.
    pub(crate) fn roll(&mut self, unix: u64) -> io::Result<bool> {
        let Stored { since, current, .. } = self.stored;
        if since.abs_diff(unix) < LIFETIME {
            return Ok(false);
        }
        // A secret that was replaced long ago has no valid cookies any more.
        let previous = (since.abs_diff(unix) < 2 * LIFETIME).then_some(current);
        self.stored = Stored { since: unix, current: random()?, previous };
        self.write()?;
        Ok(true)
    }

    fn write(&self) -> io::Result<()> {
        match &self.directory {
            Some(directory) => json_file::write_secret(directory, FILE, &self.stored),
            None => Ok(()),
        }
    }
}

/// An unpredictable secret.
fn random() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn secrets_survive_a_restart_and_roll_once_a_day() {
        let directory = tempfile::tempdir().unwrap();
        let open = |unix| CookieStore::open(Some(directory.path()), unix).unwrap();
        let first = open(1_000_000).secrets();
        assert_eq!(open(1_000_000 + LIFETIME - 1).secrets(), first);
        let second = open(1_000_000 + LIFETIME).secrets();
        assert_ne!(second.current, first.current);
        assert_eq!(second.accepted, [first.current]);
        // After a week, and after a step of the clock, no old cookie is accepted.
        assert_eq!(open(1_000_000 + 7 * LIFETIME).secrets().accepted, [[0; 16]; 0]);
        let mode = std::fs::metadata(directory.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "other users cannot read the secrets");
    }

    #[test]
    fn a_damaged_file_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(FILE), "{").unwrap();
        let secrets = CookieStore::open(Some(directory.path()), 5).unwrap().secrets();
        assert_eq!(CookieStore::open(Some(directory.path()), 6).unwrap().secrets(), secrets);
    }

    #[test]
    fn without_a_directory_secrets_are_in_memory() {
        let mut store = CookieStore::open(None, 5).unwrap();
        let first = store.secrets();
        assert!(!store.roll(6).unwrap() && store.secrets() == first);
        assert!(store.roll(5 + LIFETIME).unwrap() && store.secrets().accepted == [first.current]);
    }
}
