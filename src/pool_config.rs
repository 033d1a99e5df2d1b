//! A pool as the configuration has it: what the core decides on, and what the server does around it.

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
    /// What finds addresses up. Without any, every address counts as up.
    pub monitors: Vec<Arc<Monitor>>,
    /// What finds a backup alive that refuses work until it is nominated; all of them must.
    pub standby_monitors: Vec<Arc<Monitor>>,
    /// The host that probes and actions name, if the pool has one.
    pub host: Option<Arc<str>>,
    /// What is done to a node before its role changes.
    pub actions: RoleActions,
}

impl PoolConfig {
    /// Every monitor of the pool.
    pub fn all_monitors(&self) -> impl Iterator<Item = &Arc<Monitor>> {
        self.monitors.iter().chain(&self.standby_monitors)
    }

    /// The host that a request to one of its addresses names.
    pub fn host_at(&self, address: IpAddr) -> Arc<str> {
        // As URLs write an address.
        let literal = || match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        self.host.clone().unwrap_or_else(|| literal().into())
    }
}
