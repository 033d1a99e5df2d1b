//! A fake node: its name, and the state that all its connections share.
//!
//! Handlers lock the state for the time of one step and never across an `await`.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderValue;
use serde::Serialize;
use tokio::sync::{Notify, mpsc};

use crate::faults::{Faults, FaultsError, FaultsUpdate};
use crate::license::License;
use crate::outage::OutageRequest;
use crate::store::SessionStore;

/// Certificates of a node that speaks TLS.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// Presented by default.
    pub correct: Arc<rustls::ServerConfig>,
    /// Presented while the fault `wrong_certificate` is set.
    pub wrong: Arc<rustls::ServerConfig>,
}

/// Counters of a node since its start. They are JSON members of `GET /_fake`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Counters {
    /// Requests except those of `/_fake`.
    pub requests: u64,
    /// Single files and batches that started at this node.
    pub sessions: u64,
    /// Completely received files, alone or in a batch.
    pub uploads: u64,
    /// Cancelled batches.
    pub cancelled: u64,
    /// Single cancellations of files.
    pub cancelled_files: u64,
    /// Requests for a session of another node.
    pub wrong_node: u64,
    /// Requests for a session of this node that it lost in an outage.
    pub forgotten: u64,
}

/// The changing part of a node.
#[derive(Debug)]
pub(crate) struct NodeState {
    pub(crate) faults: Faults,
    pub(crate) counters: Counters,
    pub(crate) license: License,
    /// `session_id` of each login.
    pub(crate) logins: HashSet<String>,
    pub(crate) sessions: SessionStore,
    /// Takes outage requests while the node listens.
    pub(crate) outages: Option<mpsc::Sender<OutageRequest>>,
}

impl NodeState {
    /// Sets faults, and the license if `update` names it.
    pub(crate) fn set(&mut self, faults: Faults, update: &FaultsUpdate) {
        self.faults = faults;
        match update.unregistered {
            Some(true) => self.license = License::Unlicensed,
            // As after an activation. A node with a license keeps it.
            Some(false) if self.license == License::Unlicensed => self.license = License::Active,
            Some(false) | None => {}
        }
    }
}

/// A fake Core node. Clones share faults, counters and sessions.
#[derive(Clone, Debug)]
pub struct FakeCore {
    /// Value of the `X-Core-Id` header of every response.
    pub(crate) name: HeaderValue,
    /// First 8 digits of every identifier: a hash of the name and the listening address.
    pub(crate) id_prefix: u32,
    /// Required in the `apikey` header of requests, if set.
    pub(crate) apikey: Option<HeaderValue>,
    /// The node speaks TLS if set.
    pub(crate) certificates: Option<Certificates>,
    /// Start of the first period of `flap_ms`.
    pub(crate) created: tokio::time::Instant,
    /// Wakes callbacks after scans were cancelled or forgotten.
    pub(crate) scans_changed: Arc<Notify>,
    state: Arc<Mutex<NodeState>>,
}

impl FakeCore {
    /// A node that is ready and does not listen yet. `name` appears in `X-Core-Id`.
    ///
    /// # Panics
    /// If `name` has characters that are not visible ASCII.
    pub fn new(name: &str) -> Self {
        let state = NodeState {
            faults: Faults::default(),
            counters: Counters::default(),
            license: License::Active,
            logins: HashSet::new(),
            sessions: SessionStore::default(),
            outages: None,
        };
        Self {
            name: HeaderValue::from_str(name).expect("documented: visible ASCII characters"),
            id_prefix: id_prefix(name, None),
            apikey: None,
            certificates: None,
            created: tokio::time::Instant::now(),
            scans_changed: Arc::default(),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Makes it a hot backup, which refuses scans until it is nominated.
    #[must_use]
    pub fn as_backup(self) -> Self {
        self.state().license = License::Backup { is_online: true };
        self
    }

    /// Sets faults from a JSON object, as `PUT /_fake` does, except for `outage`. `unregistered`
    /// takes away the license that the node has until then.
    ///
    /// # Errors
    /// The object is malformed, or one of its values is not accepted.
    pub fn with_faults(self, json: &str) -> Result<Self, FaultsError> {
        let update = FaultsUpdate::parse(json)?;
        if update.outage.is_some() {
            return Err(FaultsError::OutageAtStart);
        }
        let faults = Faults::default().updated(&update)?;
        self.state().set(faults, &update);
        Ok(self)
    }

    /// Refuses requests without this key, or the `session_id` of a login, in the `apikey` header.
    /// `/readyz`, `/login` and `/_fake` need none.
    ///
    /// # Panics
    /// If `key` has characters that are not visible ASCII.
    #[must_use]
    pub fn with_apikey(self, key: &str) -> Self {
        Self { apikey: Some(HeaderValue::from_str(key).expect("documented: visible ASCII characters")), ..self }
    }

    /// Makes it speak TLS.
    #[must_use]
    pub fn with_certificates(self, certificates: Certificates) -> Self {
        Self { certificates: Some(certificates), ..self }
    }

    /// The counters at this moment.
    pub fn counters(&self) -> Counters {
        self.state().counters
    }

    /// Locks the state.
    pub(crate) fn state(&self) -> MutexGuard<'_, NodeState> {
        // Every change is a single assignment or insertion, so the state stays valid after a
        // panic, and lock poisoning is ignored.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new identifier of this node: 32 hexadecimal digits.
    pub(crate) fn new_id(&self) -> String {
        format!("{:08x}{:08x}{:016x}", self.id_prefix, fastrand::u32(..), fastrand::u64(..))
    }

    /// The deployment ID in its license.
    pub(crate) fn deployment_id(&self) -> String {
        format!("MSCL{:032X}", self.id_prefix)
    }

    /// Counts a request for a session that this node does not have.
    pub(crate) fn count_unknown_session(&self, state: &mut NodeState, id: &str) {
        let prefix = id.get(..8).and_then(|prefix| u32::from_str_radix(prefix, 16).ok());
        if prefix == Some(self.id_prefix) {
            state.counters.forgotten += 1;
        } else {
            state.counters.wrong_node += 1;
        }
    }
}

/// Stays the same when a node restarts, and differs between nodes of one name.
pub(crate) fn id_prefix(name: &str, address: Option<SocketAddr>) -> u32 {
    let mut hasher = DefaultHasher::new();
    (name, address).hash(&mut hasher);
    hasher.finish() as u32
}
