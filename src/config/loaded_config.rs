//! A loaded configuration.

use std::net::IpAddr;
use std::sync::Arc;

use evenkeel_core::counters::Counters;
use evenkeel_core::diagnostic::Diagnostics;
use evenkeel_core::health::AddressHealth;
use evenkeel_core::plural::counted;
use evenkeel_core::pool::{Node, decide};
use evenkeel_core::snapshot::{Snapshot, SnapshotConfig};
use evenkeel_core::zone::Zones;

use super::admin::Admin;
use super::report::KnownKeys;
use super::server::Server;
use crate::events::Notification;
use crate::pool_config::PoolConfig;

/// A configuration without errors.
#[derive(Debug)]
pub struct LoadedConfig {
    /// Addresses, limits, certificates.
    pub server: Server,
    /// The admin listeners, if there are any.
    pub admin: Option<Admin>,
    /// Zones with the shared names tied in.
    pub zones: Zones,
    /// Pools, in the order that shared names refer to.
    pub pools: Vec<PoolConfig>,
    /// Where events are sent.
    pub notifications: Vec<Notification>,
    /// Number of shared names.
    pub names: usize,
    /// Problems that do not prevent the use of the configuration.
    pub warnings: Diagnostics,
    /// Every key that the loader has read.
    pub keys: KnownKeys,
}

impl LoadedConfig {
    /// The snapshot that queries would read with this health of every address, and without
    /// overrides.
    pub fn into_snapshot(
        self,
        counters: &Counters,
        mut health: impl FnMut(&Node, IpAddr) -> AddressHealth,
        rng: &mut fastrand::Rng,
    ) -> Snapshot {
        let view = |config: &PoolConfig| {
            let mut nodes = config.pool.undecided(&mut health);
            Arc::new(decide(&config.pool, &mut nodes, rng).view)
        };
        let pools = self.pools.iter().map(view).collect();
        let node_numbers = counters.node_numbers(self.pools.iter().map(|config| &*config.pool));
        let config = SnapshotConfig::new(self.zones, self.server.nsid, node_numbers);
        Snapshot { generation: 1, config: Arc::new(config), pools }
    }

    /// The numbers of zones, names, pools and nodes: `1 zone, 2 names, 1 pool, 3 nodes`.
    pub fn summary(&self) -> String {
        let nodes = self.pools.iter().map(|config| config.pool.nodes.len()).sum();
        let zones = self.zones.apexes().count();
        [
            counted(zones, "zone", "zones"),
            counted(self.names, "name", "names"),
            counted(self.pools.len(), "pool", "pools"),
            counted(nodes, "node", "nodes"),
        ]
        .join(", ")
    }
}
