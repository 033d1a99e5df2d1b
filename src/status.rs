//! How things stand, as the API tells it and `evenkeel status` shows it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::dns::{Answers, Protocol};
use crate::health::Health;
use crate::overrides::{Nomination, Override};
use crate::pool::Role;

/// All pools.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Status {
    /// Number of the configuration that is served.
    pub generation: u64,
    /// Whether overrides survive the process.
    pub overrides_are_kept: bool,
    /// In the order of the configuration.
    pub pools: Vec<PoolStatus>,
    /// What is said of nodes that the configuration does not have.
    pub absent: Vec<Absent>,
    /// What was answered since the server began, by the protocols that were ever listened on.
    pub answers: BTreeMap<Protocol, Answers>,
}

/// One pool.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PoolStatus {
    /// As in the configuration.
    pub name: String,
    /// Active nodes that should be up.
    pub min_available: usize,
    /// Active nodes that are.
    pub available: usize,
    /// In the order of the configuration.
    pub nodes: Vec<NodeStatus>,
    /// Records with an address of its fallback that were answered since the server began; where they were asked for.
    pub fallback_records: Option<u64>,
}

/// One node.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NodeStatus {
    /// As in the configuration.
    pub name: String,
    /// The role that counts.
    pub role: Role,
    /// As in the configuration.
    pub weight: u32,
    /// Whether it counts as up: by its monitors or an operator, and not as a backup.
    pub up: bool,
    /// Whether it is a backup that somebody else has promoted: it serves, and is no spare any more.
    pub promoted: bool,
    /// Whether it may be answered.
    pub eligible: bool,
    /// Why, or why not.
    pub why: String,
    /// Records with an address of it that were answered since the server began; where they were asked for.
    pub records: Option<u64>,
    /// What an operator says.
    pub r#override: Option<Override>,
    /// Why its role is another one than the configuration's.
    pub nomination: Option<Nomination>,
    /// When the last answer that held it has expired, in seconds since 1970; for nodes that are not eligible any more.
    pub idle_from: Option<u64>,
    /// Its addresses.
    pub addresses: Vec<AddressStatus>,
}

/// One address of a node.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AddressStatus {
    /// IPv4 or IPv6.
    pub address: IpAddr,
    /// What observations say.
    pub health: Health,
    /// The same of it as a spare, for backups.
    pub standby: Option<Health>,
    /// Part of the weight that it can carry, in percent.
    pub percent: u8,
    /// Whether it may be answered.
    pub eligible: bool,
    /// Why, or why not.
    pub why: String,
}

impl AddressStatus {
    /// Whether something answers there: it serves, or is alive as a spare.
    pub fn answers(&self) -> bool {
        self.health == Health::Up || self.standby == Some(Health::Up)
    }
}

/// A node of which something is said, and which is not there.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Absent {
    /// `pool/node`.
    pub node: String,
    /// What is said of it.
    pub r#override: Option<Override>,
    /// Its other role.
    pub nomination: Option<Nomination>,
}
