//! What all sessions of a cluster share: the options and the connections.
//!
//! [`ClusterBuilder`](crate::ClusterBuilder) creates it. Pins and searches hold it.

use crate::connections::Connections;
use crate::options::Options;
use crate::resolve::Resolver;

/// Shared by the clones of a [`Cluster`](crate::Cluster), its pins and its sessions.
#[derive(Debug)]
pub(crate) struct ClusterState {
    pub(crate) options: Options,
    pub(crate) connections: Connections,
    pub(crate) resolver: Resolver,
}

impl ClusterState {
    /// A cluster without connections.
    pub(crate) fn new(options: Options, resolver: Resolver) -> Self {
        Self { options, connections: Connections::default(), resolver }
    }
}
