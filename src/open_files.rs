//! Every probe and every TCP connection takes a file descriptor. Strangers who open connections must not take those of
//! the probes: both get a share of what the system allows.

use std::num::NonZeroUsize;
use std::sync::Arc;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::warn;

use crate::config::Loaded;
use crate::monitor::{Monitor, MonitorKind};
use crate::pool_config::PoolConfig;

/// Descriptors for everything else: the runtime, zone files during a reload, endpoints that are ending.
const RESERVE: usize = 64;

/// Raises the limit as far as it goes; gives what it is then.
///
/// The usual soft limit is low for the sake of `select` only, which nothing here uses.
pub(crate) fn raise() -> nix::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(if setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft })
}

/// Raises the limit and lowers what is configured to what fits.
pub(crate) fn fit(loaded: &mut Loaded) {
    let limit = match raise() {
        Ok(limit) => limit,
        Err(error) => return warn!("the limit of open files cannot be read: {error}"),
    };
    let server = &mut loaded.server;
    let encrypted = server.tls.as_ref().map_or(0, |tls| tls.dot.len() + tls.doh.len() + tls.doq.len());
    let sockets = server.listen.len() * (server.workers.get() + 1) + encrypted;
    let kept: usize = loaded.pools.iter().map(kept_connections).sum();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let free = limit.saturating_sub(RESERVE + sockets + kept);
    let (probes, connections) =
        shares(free, server.probes_in_flight, server.tcp.connections.get(), server.listen.len());
    if probes < server.probes_in_flight || connections < server.tcp.connections.get() {
        warn!(
            "only {limit} files may be open, {sockets} of them listen and {kept} are kept by monitors: probes_in_flight \
             is {probes} instead of {}, tcp_connections {connections} instead of {} (raise LimitNOFILE or ulimit -n)",
            server.probes_in_flight, server.tcp.connections
        );
        server.probes_in_flight = probes;
        server.tcp.connections = NonZeroUsize::new(connections).unwrap_or(NonZeroUsize::MIN);
    }
}

/// Connections that probes of a pool keep open between them.
fn kept_connections(config: &PoolConfig) -> usize {
    let keeps = |monitor: &&Arc<Monitor>| matches!(&monitor.kind, MonitorKind::Http(check) if check.keep_alive);
    config.monitors.iter().filter(keeps).count() * config.pool.address_count()
}

/// Probes in flight, and TCP connections for each of `listeners`, that fit into `free` descriptors; at least one.
fn shares(free: usize, probes: usize, connections: usize, listeners: usize) -> (usize, usize) {
    let probes = probes.min(free / 2).max(1);
    let connections = connections.min(free.saturating_sub(probes) / listeners.max(1)).max(1);
    (probes, connections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_left_alone_and_what_does_not_is_shared() {
        assert_eq!(shares(524_288, 512, 1000, 2), (512, 1000));
        assert_eq!(shares(960, 512, 1000, 2), (480, 240));
        assert_eq!(shares(0, 512, 1000, 2), (1, 1));
        assert_eq!(shares(usize::MAX, 512, 1000, 0), (512, 1000));
    }
}
