//! The secrets of server cookies that the server makes itself, in one file of `state_dir`.
//!
//! The daemon opens it at the start, and asks [`CookieStore::roll`] then and once an hour. A secret makes
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
    /// The file holds `stored`.
    is_written: bool,
}

impl CookieStore {
    /// Reads the secrets of a directory. Makes new ones if there are none, or if they are too old.
    ///
    /// A file that cannot be read is replaced by the next [`Self::roll`]: clients get new cookies.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub(crate) fn open(directory: Option<&Path>, unix: u64) -> io::Result<Self> {
        let found = directory.map(|directory| json_file::read::<Stored>(directory, FILE));
        let (stored, is_written) = match found {
            Some(Ok(Found::Written(stored))) => (stored, true),
            Some(Ok(Found::SetAside(_) | Found::Nothing) | Err(_)) | None => {
                (Stored { since: unix, current: random()?, previous: None }, false)
            }
        };
        Ok(Self { directory: directory.map(Path::to_path_buf), stored, is_written })
    }

    /// The secrets as of the last call of [`Self::roll`].
    pub(crate) fn secrets(&self) -> CookieSecrets {
        CookieSecrets { current: self.stored.current, accepted: self.stored.previous.into_iter().collect() }
    }

    /// Replaces the secret if its time is over, or if it is from the future: the clock was wrong.
    /// Writes the file if it does not hold the secret.
    ///
    /// # Errors
    /// The system gives no random numbers: nothing has changed. Or the file cannot be written, which
    /// the next call tries again: until then, the secret is lost at a restart.
    pub(crate) fn roll(&mut self, unix: u64) -> io::Result<()> {
        let Stored { since, current, .. } = self.stored;
        if since.abs_diff(unix) >= LIFETIME {
            // A secret that was replaced long ago has no valid cookies any more.
            let previous = (since.abs_diff(unix) < 2 * LIFETIME).then_some(current);
            self.stored = Stored { since: unix, current: random()?, previous };
            self.is_written = false;
        }
        if let Some(directory) = self.directory.as_ref().filter(|_| !self.is_written) {
            json_file::write_secret(directory, FILE, &self.stored)?;
            self.is_written = true;
        }
        Ok(())
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
        let open = |unix| {
            let mut store = CookieStore::open(Some(directory.path()), unix).unwrap();
            store.roll(unix).unwrap();
            store
        };
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
        let mut store = CookieStore::open(Some(directory.path()), 5).unwrap();
        store.roll(5).unwrap();
        assert_eq!(CookieStore::open(Some(directory.path()), 6).unwrap().secrets(), store.secrets());
    }

    #[test]
    fn a_secret_that_cannot_be_written_is_used_and_written_later() {
        let directory = tempfile::tempdir().unwrap();
        let blocked = directory.path().join("blocked");
        std::fs::write(&blocked, "a file where a directory should be").unwrap();
        let mut store = CookieStore::open(Some(&blocked), 5).unwrap();
        let secrets = store.secrets();
        assert!(store.roll(5).is_err() && store.secrets() == secrets);
        std::fs::remove_file(&blocked).unwrap();
        std::fs::create_dir(&blocked).unwrap();
        store.roll(6).unwrap();
        assert_eq!(CookieStore::open(Some(&blocked), 7).unwrap().secrets(), secrets);
    }

    #[test]
    fn without_a_directory_secrets_are_in_memory() {
        let mut store = CookieStore::open(None, 5).unwrap();
        let first = store.secrets();
        store.roll(6).unwrap();
        assert_eq!(store.secrets(), first);
        store.roll(5 + LIFETIME).unwrap();
        assert_eq!(store.secrets().accepted, [first.current]);
    }
}
