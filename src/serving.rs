//! What queries read: one immutable snapshot behind one pointer.
//!
//! A query loads the pointer once and sees zones, names, pools and health that belong together. A flip of health
//! replaces one [`PoolView`] and shares the rest; a reload replaces all.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::dns::{Numbers, SharedNames};
use crate::pool::PoolView;
use crate::zone::Zones;

/// The part of a snapshot that only a reload changes.
#[derive(Debug)]
pub struct Static {
    /// Zones with the shared names tied in.
    pub zones: Zones,
    /// The shared names of these zones, for the fast path.
    pub shared: SharedNames,
    /// Under which number each node is counted.
    pub numbers: Numbers,
    /// Identifier of this server for clients that ask for it (RFC 5001).
    pub nsid: Option<Box<[u8]>>,
}

impl Static {
    /// Prepares zones for being asked.
    pub fn new(zones: Zones, nsid: Option<Box<[u8]>>, numbers: Numbers) -> Self {
        let shared = SharedNames::of(&zones);
        Self { zones, shared, numbers, nsid }
    }
}

/// A snapshot.
#[derive(Debug)]
pub struct Serving {
    /// Number of the loaded configuration, from 1.
    pub generation: u64,
    /// Zones and names.
    pub fixed: Arc<Static>,
    /// One view a pool, indexed by [`crate::zone::SharedName::pool`].
    pub pools: Vec<Arc<PoolView>>,
}

impl Serving {
    /// The next snapshot: with other views of some pools, by their place, and everything else shared with this one.
    #[must_use]
    pub fn with(&self, views: impl IntoIterator<Item = (usize, PoolView)>) -> Self {
        let mut pools = self.pools.clone();
        for (index, view) in views {
            pools[index] = Arc::new(view);
        }
        Self { generation: self.generation, fixed: Arc::clone(&self.fixed), pools }
    }
}

/// The one pointer to the current snapshot.
pub type Current = Arc<ArcSwap<Serving>>;
