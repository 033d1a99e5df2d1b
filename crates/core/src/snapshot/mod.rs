//! The snapshot: the immutable data that queries read, behind one pointer.
//!
//! A query, or a batch of UDP queries, loads the pointer once, so zones, names, pools and health
//! always belong together. After a transition, the publisher of the server stores a snapshot with
//! another [`PoolView`] that shares the rest; after a reload, all parts are new.

mod server_texts;
mod shared_names;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use server_texts::ServerTexts;
pub use shared_names::{PreparedName, SharedNames};

use crate::clients::ClientPolicy;
use crate::counters::NodeNumbers;
use crate::pool::PoolView;
use crate::zone::Zones;

/// The part of a snapshot that only a reload changes.
#[derive(Debug)]
pub struct SnapshotConfig {
    /// The zones, with their shared names.
    pub zones: Zones,
    /// The shared names of all zones, for the fast path.
    pub shared_names: SharedNames,
    /// The number under which each node is counted.
    pub node_numbers: NodeNumbers,
    /// NSID: the identifier of this server for clients that ask for it (RFC 5001).
    pub nsid: Option<Box<[u8]>>,
    /// Texts about the server, of class CH.
    pub server_texts: ServerTexts,
    /// Cookies and the rate limit.
    pub clients: ClientPolicy,
}

impl SnapshotConfig {
    /// Prepares zones for queries, with their shared names. Every query is answered, without
    /// cookies.
    pub fn new(zones: Zones, nsid: Option<Box<[u8]>>, node_numbers: NodeNumbers) -> Self {
        let shared_names = SharedNames::of(&zones);
        let server_texts = ServerTexts::new(nsid.as_deref(), None);
        Self { zones, shared_names, node_numbers, nsid, server_texts, clients: ClientPolicy::default() }
    }

    /// Sets the version that clients are told.
    #[must_use]
    pub fn with_version(mut self, version: Option<&[u8]>) -> Self {
        self.server_texts = ServerTexts::new(self.nsid.as_deref(), version);
        self
    }

    /// Sets what is asked of clients.
    #[must_use]
    pub fn with_clients(self, clients: ClientPolicy) -> Self {
        Self { clients, ..self }
    }

    /// No zones: all queries are refused.
    pub fn empty() -> Self {
        Self::new(Zones::new(Vec::new()), None, NodeNumbers::default())
    }
}

/// The data that queries read.
#[derive(Debug)]
pub struct Snapshot {
    /// Number of the loaded configuration, from 1; 0 before the first one is served.
    pub generation: u64,
    /// Zones and shared names.
    pub config: Arc<SnapshotConfig>,
    /// One view per pool, indexed by [`crate::zone::SharedName::pool`].
    pub pools: Vec<Arc<PoolView>>,
}

impl Snapshot {
    /// The snapshot before the first configuration is served.
    pub fn empty() -> Self {
        Self { generation: 0, config: Arc::new(SnapshotConfig::empty()), pools: Vec::new() }
    }

    /// The next snapshot, with new views of some pools, by index. It shares the rest with this one.
    #[must_use]
    pub fn with_views(&self, views: impl IntoIterator<Item = (usize, PoolView)>) -> Self {
        let mut pools = self.pools.clone();
        for (index, view) in views {
            pools[index] = Arc::new(view);
        }
        Self { generation: self.generation, config: Arc::clone(&self.config), pools }
    }
}

/// The one pointer to the snapshot that queries read.
pub type CurrentSnapshot = Arc<ArcSwap<Snapshot>>;
