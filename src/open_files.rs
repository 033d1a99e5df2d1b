//! The limit of open files.
//!
//! Every probe and every connection over TCP, TLS and HTTPS takes a file descriptor. Clients that open connections must
//! not take the descriptors of the probes, so both get a share of the limit. The daemon calls
//! [`fit`] for each configuration; it warns if it has to lower a setting.

use std::num::NonZeroUsize;
use std::sync::Arc;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::warn;

use crate::config::LoadedConfig;
use crate::monitor::{Monitor, MonitorKind};
use crate::pool_config::PoolConfig;

/// Descriptors for all other uses: the runtime, zone files during a reload, endpoints that are
/// ending.
const RESERVE: usize = 64;

/// Raises the soft limit to the hard limit. Returns the limit that holds then.
///
/// The soft limit is low by default only for programs that use `select`. This one does not.
pub(crate) fn raise() -> nix::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(if setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft })
}

/// Raises the limit, and lowers `probes_in_flight` and `tcp_connections` if they do not fit into
/// it.
pub(crate) fn fit(loaded: &mut LoadedConfig) {
    let limit = match raise() {
        Ok(limit) => limit,
        Err(error) => return warn!("the limit of open files cannot be read: {error}"),
    };
    let server = &mut loaded.server;
    let encrypted = server.tls.as_ref().map_or(0, |tls| tls.dot.len() + tls.doh.len() + tls.doq.len());
    let listening = server.listen.len() * (server.workers.get() + 1) + encrypted;
    let keep_alive: usize = loaded.pools.iter().map(keep_alive_connections).sum();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let free = limit.saturating_sub(RESERVE + listening + keep_alive);
    // Connections over QUIC take no descriptor.
    let listeners = server.listen.len() + server.tls.as_ref().map_or(0, |tls| tls.dot.len() + tls.doh.len());
    let (probes, connections) = shares(free, server.probes_in_flight, server.tcp.connections.get(), listeners);
    if probes < server.probes_in_flight || connections < server.tcp.connections.get() {
        warn!(
            "the limit of open files is {limit}; {listening} are listening sockets, {keep_alive} are connections that \
             monitors keep: probes_in_flight is {probes} instead of {}, tcp_connections {connections} instead of {} \
             (raise LimitNOFILE or ulimit -n)",
            server.probes_in_flight, server.tcp.connections
        );
        server.probes_in_flight = probes;
        server.tcp.connections = NonZeroUsize::new(connections).unwrap_or(NonZeroUsize::MIN);
    }
}

/// Connections that the probes of a pool keep open (`keep_alive`).
fn keep_alive_connections(config: &PoolConfig) -> usize {
    let keeps = |monitor: &&Arc<Monitor>| matches!(&monitor.kind, MonitorKind::Http(check) if check.keep_alive);
    config.all_monitors().filter(keeps).count() * config.pool.address_count()
}

/// Returns how many probes in flight, and how many connections per listener, fit into `free`
/// descriptors. Each is at least one.
fn shares(free: usize, probes: usize, connections: usize, listeners: usize) -> (usize, usize) {
    let probes = probes.min(free / 2).max(1);
    let connections = connections.min(free.saturating_sub(probes) / listeners.max(1)).max(1);
    (probes, connections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_fit_stay_and_others_are_lowered() {
        assert_eq!(shares(524_288, 512, 1000, 2), (512, 1000));
        assert_eq!(shares(960, 512, 1000, 2), (480, 240));
        assert_eq!(shares(0, 512, 1000, 2), (1, 1));
        assert_eq!(shares(usize::MAX, 512, 1000, 0), (512, 1000));
    }
}
