//! Every probe and every TCP connection takes a file descriptor. Strangers who open connections must not take those of
//! the probes: both get a share of what the system allows.

use std::num::NonZeroUsize;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::warn;

use crate::config::Server;

/// Descriptors for everything else: listeners, the runtime, zone files during a reload.
const RESERVE: usize = 64;

/// Raises the limit as far as it goes and lowers what is configured to what fits.
///
/// The usual soft limit is low for the sake of `select` only, which nothing here uses.
pub(crate) fn fit(server: &mut Server) {
    let limit = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((_, hard)) if setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() => hard,
        Ok((soft, _)) => soft,
        Err(error) => return warn!("the limit of open files cannot be read: {error}"),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (probes, connections) =
        shares(limit, server.probes_in_flight, server.tcp.connections.get(), server.listen.len());
    if probes < server.probes_in_flight || connections < server.tcp.connections.get() {
        warn!(
            "only {limit} files may be open: probes_in_flight is {probes} instead of {}, tcp_connections {connections} \
             instead of {} (raise LimitNOFILE or ulimit -n)",
            server.probes_in_flight, server.tcp.connections
        );
        server.probes_in_flight = probes;
        server.tcp.connections = NonZeroUsize::new(connections).unwrap_or(NonZeroUsize::MIN);
    }
}

/// Probes in flight, and TCP connections for each of `listeners`, that fit into `limit` descriptors; at least one.
fn shares(limit: usize, probes: usize, connections: usize, listeners: usize) -> (usize, usize) {
    let free = limit.saturating_sub(RESERVE);
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
        assert_eq!(shares(1024, 512, 1000, 2), (480, 240));
        assert_eq!(shares(64, 512, 1000, 2), (1, 1));
        assert_eq!(shares(usize::MAX, 512, 1000, 0), (512, 1000));
    }
}
