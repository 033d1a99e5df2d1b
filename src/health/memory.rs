//! What was known before a restart: the starting point until each address has been probed, so that a server that is
//! started again does not answer worse than the moment before.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::{Control, Health};
use crate::overrides::{full_name, now};
use crate::seldom::Seldom;
use crate::state::{self, Found};

/// Name of the file in `state_dir`.
const FILE: &str = "health.json";

/// How often what has changed is written.
const INTERVAL: Duration = Duration::from_secs(2);

/// Older knowledge is worth nothing, in seconds.
const WORTH: u64 = 3600;

/// Health of addresses, by `pool/node` and address.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Memory {
    /// When it was written, in seconds since 1970.
    at: u64,
    up: BTreeMap<String, bool>,
    /// Nominated nodes that have served since, by `pool/node`.
    #[serde(default)]
    served: BTreeSet<String>,
}

impl Memory {
    /// What was written in a directory, when it is not too old.
    ///
    /// # Errors
    /// The directory or the file cannot be used.
    pub fn read(directory: &Path) -> io::Result<Self> {
        Ok(match state::read::<Self>(directory, FILE)? {
            Found::Written(memory) if now().abs_diff(memory.at) <= WORTH => memory,
            Found::Written(_) | Found::Nothing => Self::default(),
            Found::SetAside(what) => {
                warn!("health of before is not known: {what}");
                Self::default()
            }
        })
    }

    /// Adds what is known of an address.
    pub(super) fn remember(&mut self, pool: &str, node: &str, address: IpAddr, health: Health) {
        if health != Health::Unknown {
            self.up.insert(key(pool, node, address), health == Health::Up);
        }
    }

    /// Adds a nominated node that has served.
    pub(super) fn remember_served(&mut self, pool: &str, node: &str) {
        self.served.insert(full_name(pool, node));
    }

    /// Whether a nominated node has served.
    pub(super) fn has_served(&self, pool: &str, node: &str) -> bool {
        self.served.contains(&full_name(pool, node))
    }

    /// What was known of an address.
    pub(super) fn recall(&self, pool: &str, node: &str, address: IpAddr) -> Health {
        match self.up.get(&key(pool, node, address)) {
            Some(true) => Health::Up,
            Some(false) => Health::Down,
            None => Health::Unknown,
        }
    }
}

fn key(pool: &str, node: &str, address: IpAddr) -> String {
    format!("{} {address}", full_name(pool, node))
}

/// Writes what has changed, for as long as it runs.
pub async fn keep(control: Control, directory: PathBuf) {
    let mut written = Memory::default();
    let mut log = Seldom::default();
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Ok(memory) = control.memory().await else { return };
        let is_same = (&memory.up, &memory.served) == (&written.up, &written.served);
        if is_same && now().saturating_sub(written.at) < WORTH / 4 {
            continue;
        }
        match write(memory.clone(), directory.clone()).await {
            Ok(()) => written = memory,
            Err(error) if log.is_due() => warn!("health cannot be kept in {}: {error}", directory.display()),
            Err(_) => {}
        }
    }
}

/// Writes what is known now.
///
/// # Errors
/// The system's.
pub async fn write(mut memory: Memory, directory: PathBuf) -> io::Result<()> {
    memory.at = now();
    let writing = tokio::task::spawn_blocking(move || state::write(&directory, FILE, &memory));
    writing.await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
}
