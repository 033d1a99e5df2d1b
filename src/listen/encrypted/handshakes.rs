//! The handshakes of QUIC that run at the same time: a limit for all, and one per client, so that a
//! client that never finishes its handshakes leaves room for others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::listen::connections::ClientNetwork;

/// Handshakes of all clients at the same time.
pub(super) const MAX_HANDSHAKES: usize = 256;

/// Handshakes of one client at the same time.
const MAX_PER_CLIENT: usize = 32;

/// Counts the handshakes of a listener; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Handshakes(Arc<Mutex<HashMap<ClientNetwork, usize>>>);

/// One handshake. It counts until this is dropped.
#[derive(Debug)]
pub(super) struct Handshake {
    all: Handshakes,
    client: ClientNetwork,
}

impl Handshakes {
    /// The number of handshakes.
    pub(super) fn running(&self) -> usize {
        self.counts().values().sum()
    }

    /// Begins a handshake. Returns `None` if a limit is reached.
    pub(super) fn begin(&self, client: IpAddr) -> Option<Handshake> {
        let client = ClientNetwork::from(client);
        let mut counts = self.counts();
        let own = counts.get(&client).copied().unwrap_or_default();
        if own >= MAX_PER_CLIENT || counts.values().sum::<usize>() >= MAX_HANDSHAKES {
            return None;
        }
        counts.insert(client, own + 1);
        drop(counts);
        Some(Handshake { all: self.clone(), client })
    }

    /// Counts stay valid after a panic, so lock poisoning is ignored.
    fn counts(&self) -> MutexGuard<'_, HashMap<ClientNetwork, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let mut counts = self.all.counts();
        match counts.get_mut(&self.client) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&self.client)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_finishes_no_handshake_leaves_room_for_others() {
        let handshakes = Handshakes::default();
        let stalled: Vec<_> = std::iter::from_fn(|| handshakes.begin("2001:db8::1".parse().unwrap())).collect();
        assert_eq!(stalled.len(), MAX_PER_CLIENT);
        assert!(handshakes.begin("2001:db8::2".parse().unwrap()).is_none(), "the same network of 64 bits");
        let other = handshakes.begin("192.0.2.1".parse().unwrap());
        assert!(other.is_some() && handshakes.running() == MAX_PER_CLIENT + 1);
        drop(stalled);
        assert_eq!(handshakes.running(), 1);
        let mut all = Vec::new();
        all.extend((0..=255).filter_map(|i| handshakes.begin([198, 51, 100, i].into())));
        assert_eq!(all.len(), MAX_HANDSHAKES - 1);
    }
}
