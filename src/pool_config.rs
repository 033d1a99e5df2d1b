//! A pool of the configuration: the nodes and rules that the core decides on, and the monitors and
//! actions that the server runs.

use std::net::IpAddr;
use std::sync::Arc;

use evenkeel_core::pool::Pool;

use crate::monitor::Monitor;
use crate::role_action::RoleActions;

/// A pool with its monitors and actions.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Nodes and rules.
    pub pool: Arc<Pool>,
    /// The monitors that find addresses up. Without monitors, every address counts as up.
    pub monitors: Vec<Arc<Monitor>>,
    /// The monitors for the standby health of backups. All of them must find an address up.
    pub standby_monitors: Vec<Arc<Monitor>>,
    /// The host name in probes and actions, if the pool has one.
    pub host: Option<Arc<str>>,
    /// The actions that run before the role of a node changes.
    pub actions: RoleActions,
}

impl PoolConfig {
    /// Every monitor of the pool.
    pub fn all_monitors(&self) -> impl Iterator<Item = &Arc<Monitor>> {
        self.monitors.iter().chain(&self.standby_monitors)
    }

    /// The host name in requests to an address: the host of the pool, or the address itself.
    pub fn host_at(&self, address: IpAddr) -> Arc<str> {
        // An IPv6 address has brackets, as in a URL.
        let literal = || match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        self.host.clone().unwrap_or_else(|| literal().into())
    }
}
