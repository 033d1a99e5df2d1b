//! Makes a loaded configuration the current one, at the start and at every reload.
//!
//! ```text
//!  addresses are bound ──► new nodes are probed ──► the snapshot is stored ──► old addresses end
//!       │                        │ interrupted: nothing changes
//!       └ at a reload, new addresses answer from the old snapshot meanwhile
//! ```
//!
//! If a step fails, the configuration before stays the current one.

use std::io;
use std::sync::Arc;

use evenkeel_core::snapshot::SnapshotConfig;

use super::Daemon;
use crate::config::{LoadedConfig, Server};
use crate::health::{PublishedConfig, Stopped};
use crate::listen::PreparedEndpoints;

/// Why a configuration was not adopted. The one before is still served.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdoptError {
    /// A thread could not be started.
    #[error("UDP threads cannot be started: {0}")]
    Threads(io::Error),
    /// The publisher has ended.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl Daemon {
    /// Adopts a configuration whose addresses are bound. Waits until every new target has a result,
    /// or `startup_grace` is over, or `interrupted` returns.
    ///
    /// If `interrupted` returns first, nothing changes, and its value is returned.
    ///
    /// # Errors
    /// Nothing has changed.
    pub(super) async fn adopt<I>(
        &mut self,
        mut prepared: PreparedEndpoints,
        loaded: LoadedConfig,
        interrupted: impl Future<Output = I>,
    ) -> Result<Option<I>, AdoptError> {
        let LoadedConfig { server, zones, pools, notifications, .. } = loaded;
        if self.generation > 0 {
            self.begin_endpoints(&mut prepared, &server)?;
        }
        let node_numbers = self.counters.node_numbers(pools.iter().map(|config| &*config.pool));
        let clients = self.client_checks.policy(&server);
        let config = SnapshotConfig::new(zones, server.nsid.clone(), node_numbers)
            .with_version(server.version.as_deref())
            .with_clients(clients);
        let config = Arc::new(config);
        let generation = self.generation + 1;
        let enough = async {
            tokio::select! {
                () = tokio::time::sleep(server.startup_grace) => None,
                interruption = interrupted => Some(interruption),
            }
        };
        let config = PublishedConfig { generation, config, pools };
        if let Some(interruption) = self.config_handle.adopt(config, server.probes_in_flight, enough).await? {
            self.endpoints.rollback();
            return Ok(Some(interruption));
        }
        self.generation = generation;
        // At the start, there was no snapshot to answer from before this point.
        self.begin_endpoints(&mut prepared, &server)?;
        self.endpoints.commit(prepared, &server);
        self.notifiers.replace(notifications);
        Ok(None)
    }

    /// Begins to answer at the new addresses, if they do not answer yet.
    fn begin_endpoints(&mut self, prepared: &mut PreparedEndpoints, server: &Server) -> Result<(), AdoptError> {
        self.endpoints.start(prepared, server, &self.current).map_err(AdoptError::Threads)
    }
}
