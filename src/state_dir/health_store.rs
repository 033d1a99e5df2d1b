//! Stores health in one file of `state_dir`. The file is written within 2 s of a change, and every
//! 15 min otherwise.
//!
//! The daemon reads it at the start, so that addresses keep their health until the first probe. If
//! it cannot be written, the log says so and the server goes on.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use evenkeel_core::state::RememberedHealth;
use tracing::warn;

use super::json_file::{self, Found};
use crate::clock::unix_now;
use crate::log_throttle::LogThrottle;

/// Name of the file in `state_dir`.
const FILE: &str = "health.json";

/// Time between two checks whether health has changed.
const INTERVAL: Duration = Duration::from_secs(2);

/// Health that is older is not used, in seconds.
const MAX_AGE: u64 = 3600;

/// Reads the health in a directory, unless it is too old.
///
/// # Errors
/// The directory or the file cannot be used.
pub(crate) fn read_health(directory: &Path) -> io::Result<RememberedHealth> {
    Ok(match json_file::read::<RememberedHealth>(directory, FILE)? {
        Found::Written(health) if unix_now().abs_diff(health.at) <= MAX_AGE => health,
        Found::Written(_) | Found::Nothing => RememberedHealth::default(),
        Found::SetAside(what) => {
            warn!("health from before the restart is not known: {what}");
            RememberedHealth::default()
        }
    })
}

/// Writes health until `current` returns `None`.
pub(crate) async fn store_health<F: Future<Output = Option<RememberedHealth>>>(
    current: impl Fn() -> F,
    directory: PathBuf,
) {
    let mut written = RememberedHealth::default();
    let mut log = LogThrottle::default();
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(health) = current().await else { return };
        if health.is_same(&written) && unix_now().saturating_sub(written.at) < MAX_AGE / 4 {
            continue;
        }
        match write_health(health, directory.clone()).await {
            Ok(health) => written = health,
            Err(error) if log.is_due() => warn!("health cannot be stored in {}: {error}", directory.display()),
            Err(_) => {}
        }
    }
}

/// Writes health, and returns it with the time of writing.
///
/// # Errors
/// The file cannot be written.
pub(crate) async fn write_health(mut health: RememberedHealth, directory: PathBuf) -> io::Result<RememberedHealth> {
    health.at = unix_now();
    let writing = tokio::task::spawn_blocking(move || {
        json_file::write(&directory, FILE, &health)?;
        Ok(health)
    });
    writing.await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::*;

    /// Reads health from a file with this content, and returns it as it is written.
    fn read_and_write(content: &Value) -> Value {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(FILE), json!([1, content]).to_string()).unwrap();
        serde_json::to_value(read_health(directory.path()).unwrap()).unwrap()
    }

    #[test]
    fn health_is_stored_per_node_and_address() {
        let health = json!({ "core/a": { "192.0.2.1": "up", "2001:db8::1": "down" } });
        let content = json!({ "at": unix_now(), "health": health, "served": ["core/b"] });
        assert_eq!(read_and_write(&content), content);
    }

    #[test]
    fn a_file_of_an_earlier_version_remembers_only_which_nodes_have_served() {
        let old = json!({ "at": unix_now(), "up": { "core/a 192.0.2.1": true }, "served": ["core/b"] });
        let new = json!({ "at": old["at"], "health": {}, "served": ["core/b"] });
        assert_eq!(read_and_write(&old), new);
    }
}
