//! What one connection can cost. `docs/protocol.md` lists these limits, and those of each transport.

use std::time::Duration;

/// Longest query over HTTPS and QUIC, in bytes. A query with all options that a client may send is
/// much shorter; the limit bounds the memory of a connection.
pub(super) const MAX_QUERY: usize = 4096;

/// Queries that a connection over HTTP/2 or QUIC can have in progress.
pub(super) const MAX_STREAMS: u8 = 64;

/// Longest handshake.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(10);
