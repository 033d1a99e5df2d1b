//! The messages to the publisher: `Observed` and `NotRun` from the scheduler, `Prepare` and `Adopt`
//! from [`super::ConfigHandle`], the others from [`super::HealthHandle`]. Those with a `oneshot`
//! sender are requests that wait for a reply.

use std::sync::Arc;

use evenkeel_core::health::ProbeNotRun;
use evenkeel_core::overrides::Overrides;
use evenkeel_core::snapshot::SnapshotConfig;
use evenkeel_core::state::{AddressTargets, Limits, Nominees, Observation, RememberedHealth, TargetId};
use evenkeel_core::status::{AbsentNode, PoolStatus};
use tokio::sync::oneshot;

use crate::pool_config::PoolConfig;

/// A message to the publisher.
#[derive(Debug)]
pub(super) enum Message {
    /// A probe has ended.
    Observed(Observation),
    /// A probe of a monitor did not run.
    NotRun { target: TargetId, monitor: Arc<str>, why: ProbeNotRun },
    /// New targets will be probed. `probed` is sent when all targets of a configuration have a
    /// result.
    Prepare { new: Vec<Limits>, all: Vec<TargetId>, probed: oneshot::Sender<()> },
    /// The overrides have changed.
    Overrides { overrides: Overrides, done: oneshot::Sender<()> },
    /// Asks for the health to remember across a restart.
    Remember(oneshot::Sender<RememberedHealth>),
    /// Asks for the generation and the state of every pool.
    Status(oneshot::Sender<HealthStatus>),
    /// Asks for the configuration of a pool.
    Pool(String, oneshot::Sender<Option<PoolConfig>>),
    /// Asks for the backups to nominate without an operator.
    Nominees(oneshot::Sender<Vec<Nominees>>),
    /// A configuration replaces the current one.
    Adopt(Box<Adoption>),
}

/// The part of a configuration that the publisher needs.
#[derive(Debug)]
pub struct PublishedConfig {
    /// The generation: the number of the configuration, from 1.
    pub generation: u64,
    /// Zones and names.
    pub config: Arc<SnapshotConfig>,
    /// The pools that the names use.
    pub pools: Vec<PoolConfig>,
}

/// A configuration whose targets have been probed.
#[derive(Debug)]
pub(super) struct Adoption {
    pub(super) config: PublishedConfig,
    /// Per pool, per node, per address.
    pub(super) targets: Vec<Vec<Vec<AddressTargets>>>,
    /// Targets whose monitor has changed.
    pub(super) changed: Vec<Limits>,
    pub(super) done: oneshot::Sender<()>,
}

/// What the publisher knows at one moment.
#[derive(Debug)]
pub struct HealthStatus {
    /// The generation of the configuration; 0 before the first.
    pub generation: u64,
    /// The state of every pool.
    pub pools: Vec<PoolStatus>,
    /// Nodes with an override or a nomination that are missing from the configuration.
    pub absent: Vec<AbsentNode>,
}
