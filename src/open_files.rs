//! The limit of open files, as a budget.
//!
//! Probes, admin connections, notifications and the connections of clients take file descriptors.
//! Clients that open connections must not take those of the others, so each use has a part of the
//! limit. The daemon calls [`fit`] for each configuration, and gives the part of the clients to the
//! listeners, which share it. [`fit`] warns if it has to lower a setting.

use std::num::NonZeroUsize;
use std::sync::Arc;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::warn;

use crate::admin::MAX_CONNECTIONS as ADMIN_CONNECTIONS;
use crate::config::{LoadedConfig, Server};
use crate::monitor::{Monitor, MonitorKind};
use crate::pool_config::PoolConfig;

/// Descriptors for all other uses: the runtime, zone files during a reload, endpoints that are
/// ending, role actions, connections that are accepted and not yet served.
const RESERVE: usize = 64;

/// Descriptors of a running program: two pipes, the process, and one while it starts.
const PER_PROGRAM: usize = 4;

/// Raises the soft limit to the hard limit. Returns the limit that holds then.
///
/// The soft limit is low by default only for programs that use `select`. This one does not.
pub(crate) fn raise() -> nix::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(if setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft })
}

/// Raises the limit, and lowers `probes_in_flight` if the probes do not fit into it. Returns how
/// many descriptors the connections of clients may take.
///
/// If this is less than the configuration allows, the warning says to how many connections each
/// listener is limited.
pub(crate) fn fit(loaded: &mut LoadedConfig) -> usize {
    let limit = match raise() {
        Ok(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
        Err(error) => {
            warn!("the limit of open files cannot be read: {error}");
            return usize::MAX;
        }
    };
    let other = other_descriptors(loaded);
    let per_probe = if loaded.pools.iter().any(runs_programs) { PER_PROGRAM } else { 1 };
    let server = &mut loaded.server;
    let listeners = stream_listeners(server);
    let wanted = Wanted {
        probes: server.probes_in_flight,
        per_probe,
        connections: server.tcp.connections.get().saturating_mul(listeners),
    };
    let (probes, connections) = wanted.within(limit.saturating_sub(other));
    if probes < wanted.probes || connections < wanted.connections {
        let configured = server.tcp.connections;
        let per_listener = per_listener(connections, listeners).min(configured);
        warn!(
            "the limit of open files is {limit}, and {other} are for other uses than probes and clients: \
             probes_in_flight is {probes} instead of {}, tcp_connections {per_listener} instead of {configured} \
             (raise LimitNOFILE or ulimit -n)",
            wanted.probes
        );
    }
    server.probes_in_flight = probes;
    connections
}

/// Descriptors that are neither for probes in flight nor for connections of clients.
fn other_descriptors(loaded: &LoadedConfig) -> usize {
    let server = &loaded.server;
    let quic = server.tls.as_ref().map_or(0, |tls| tls.doq.len());
    let listening = server.listen.len() * server.workers.get() + stream_listeners(server) + quic;
    let keep_alive: usize = loaded.pools.iter().map(keep_alive_connections).sum();
    let admin = loaded.admin.as_ref().map_or(0, |admin| (1 + usize::from(admin.listen.is_some())) * ADMIN_CONNECTIONS);
    RESERVE + listening + keep_alive + admin + loaded.notifications.len() * PER_PROGRAM
}

/// Listeners whose connections take a descriptor each: TCP, TLS and HTTPS.
fn stream_listeners(server: &Server) -> usize {
    server.listen.len() + server.tls.as_ref().map_or(0, |tls| tls.dot.len() + tls.doh.len())
}

/// Connections of each listener, if all have the same number. At least one.
fn per_listener(connections: usize, listeners: usize) -> NonZeroUsize {
    NonZeroUsize::new(connections / listeners.max(1)).unwrap_or(NonZeroUsize::MIN)
}

/// Returns true if a monitor of the pool runs a program.
fn runs_programs(config: &PoolConfig) -> bool {
    config.all_monitors().any(|monitor| matches!(monitor.kind, MonitorKind::Exec(_)))
}

/// Connections that the probes of a pool keep open (`keep_alive`).
fn keep_alive_connections(config: &PoolConfig) -> usize {
    let keeps = |monitor: &&Arc<Monitor>| matches!(&monitor.kind, MonitorKind::Http(check) if check.keep_alive);
    config.all_monitors().filter(keeps).count() * config.pool.address_count()
}

/// What a configuration allows.
struct Wanted {
    /// Probes in flight.
    probes: usize,
    /// Descriptors of a probe.
    per_probe: usize,
    /// Connections of clients, of all listeners together.
    connections: usize,
}

impl Wanted {
    /// Returns how many probes may be in flight, and how many of `free` descriptors are left for
    /// connections. There is at least one probe. Probes get at most half if both do not fit.
    fn within(&self, free: usize) -> (usize, usize) {
        let half = (free / 2).max(free.saturating_sub(self.connections));
        let probes = self.probes.min(half / self.per_probe).max(1);
        (probes, free.saturating_sub(probes * self.per_probe))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(per_probe: usize, connections: usize) -> Wanted {
        Wanted { probes: 512, per_probe, connections }
    }

    #[test]
    fn settings_that_fit_stay_and_others_are_lowered() {
        assert_eq!(wanted(1, 2000).within(524_288), (512, 523_776));
        assert_eq!(wanted(1, 2000).within(960), (480, 480));
        assert_eq!(wanted(4, 2000).within(960), (120, 480));
        assert_eq!(wanted(4, 100).within(960), (215, 100));
        assert_eq!(wanted(1, 100).within(960), (512, 448));
        assert_eq!(wanted(1, 2000).within(0), (1, 0));
        assert_eq!(wanted(1, 0).within(1000), (512, 488));
        assert_eq!(per_listener(480, 2).get(), 240);
        assert_eq!(per_listener(0, 2).get(), 1);
        assert_eq!(per_listener(0, 0).get(), 1);
    }
}
