//! What a node is: its name, its faults, its counters and its sessions.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderValue;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::faults::{Faults, NewFaults};
use crate::outage::OutageRequest;
use crate::store::Store;

/// How a node proves who it is.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// What it should present.
    pub right: Arc<rustls::ServerConfig>,
    /// What it presents when it is told to.
    pub wrong: Arc<rustls::ServerConfig>,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Counters {
    /// Requests, but for those that set faults.
    pub requests: u64,
    /// Single files and batches that began here.
    pub sessions: u64,
    /// Files that were taken whole, alone or into a batch.
    pub uploads: u64,
    /// Batches that were cancelled.
    pub cancelled: u64,
    /// Requests for sessions of other nodes.
    pub wrong_node: u64,
    /// Requests for sessions of this node that it has forgotten.
    pub forgotten: u64,
}

/// What a node is at the moment.
#[derive(Debug)]
pub(crate) struct Now {
    pub(crate) faults: Faults,
    pub(crate) counters: Counters,
    pub(crate) is_backup: bool,
    pub(crate) store: Store,
    /// Where outages are asked for, once it listens.
    pub(crate) outages: Option<mpsc::Sender<OutageRequest>>,
}

/// A node.
#[derive(Clone, Debug)]
pub struct FakeCore {
    /// Told in the `X-Core-Id` header of every answer.
    pub(crate) id: HeaderValue,
    /// Begins every identifier that it gives: of its name and, once it listens, its address.
    pub(crate) mark: u32,
    /// Required with every request, if there is one.
    pub(crate) apikey: Option<HeaderValue>,
    pub(crate) certificates: Option<Certificates>,
    pub(crate) began: tokio::time::Instant,
    now: Arc<Mutex<Now>>,
}

impl FakeCore {
    /// A node that is ready. `id` holds visible ASCII characters only.
    ///
    /// # Panics
    /// When `id` cannot stand in a header.
    pub fn new(id: &str) -> Self {
        let now = Now {
            faults: Faults::default(),
            counters: Counters::default(),
            is_backup: false,
            store: Store::default(),
            outages: None,
        };
        Self {
            id: HeaderValue::from_str(id).expect("visible ASCII characters"),
            mark: mark_of(id, None),
            apikey: None,
            certificates: None,
            began: tokio::time::Instant::now(),
            now: Arc::new(Mutex::new(now)),
        }
    }

    /// The same as a hot backup.
    #[must_use]
    pub fn as_backup(self) -> Self {
        self.now().is_backup = true;
        self
    }

    /// The same, with faults from the beginning, in the words of `PUT /_fake`.
    ///
    /// # Errors
    /// No JSON object of faults; the text says why.
    pub fn with_faults(self, faults: &str) -> Result<Self, String> {
        let new: NewFaults = serde_json::from_str(faults).map_err(|error| error.to_string())?;
        if new.outage.is_some() {
            return Err("an outage begins while the node is there, with PUT /_fake".to_owned());
        }
        let faults = Faults::default().with(&new)?;
        self.now().faults = faults;
        Ok(self)
    }

    /// The same for those who know a key.
    ///
    /// # Panics
    /// When the key cannot stand in a header.
    #[must_use]
    pub fn with_apikey(self, key: &str) -> Self {
        Self { apikey: Some(HeaderValue::from_str(key).expect("visible ASCII characters")), ..self }
    }

    /// The same over TLS.
    #[must_use]
    pub fn with_certificates(self, certificates: Certificates) -> Self {
        Self { certificates: Some(certificates), ..self }
    }

    /// What was counted since it began.
    pub fn counters(&self) -> Counters {
        self.now().counters
    }

    pub(crate) fn now(&self) -> MutexGuard<'_, Now> {
        // A plain value: a panic elsewhere cannot have left it half set.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new identifier of this node: 32 hexadecimal digits.
    pub(crate) fn new_id(&self) -> String {
        format!("{:08x}{:08x}{:016x}", self.mark, fastrand::u32(..), fastrand::u64(..))
    }

    /// Counts a request for a session that is not here.
    pub(crate) fn count_stranger(&self, now: &mut Now, id: &str) {
        let mark = id.get(..8).and_then(|mark| u32::from_str_radix(mark, 16).ok());
        match mark {
            Some(mark) if mark == self.mark => now.counters.forgotten += 1,
            _ => now.counters.wrong_node += 1,
        }
    }
}

/// The same for a node that comes back, and not for another one.
pub(crate) fn mark_of(id: &str, address: Option<SocketAddr>) -> u32 {
    let mut hasher = DefaultHasher::new();
    (id, address).hash(&mut hasher);
    hasher.finish() as u32
}
