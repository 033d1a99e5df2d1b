//! DNS over TLS, HTTPS and QUIC.
//!
//! [`super::endpoint`] spawns [`EncryptedEndpoint::serve`] per address. In reading order:
//!
//! 1. `encrypted_endpoint`: one address; `transport` has the transports and their sockets, `limits`
//!    what one connection can cost
//! 2. `certificate`: what all of them present, and the settings of TLS
//! 3. `tls`: handshakes over TCP, and DNS over TLS (RFC 7858)
//! 4. `https`: DNS over HTTPS (RFC 8484); `http_query` reads a request, `http_response` writes the
//!    response, `read_budget` ends connections that send much without a query
//! 5. `quic`: DNS over QUIC (RFC 9250); `handshakes` limits them, `quic_connection` is one
//!    connection, `quic_query` reads what a stream holds
//!
//! Messages go to the same responder as over TCP, so the responses are the same bytes.

mod certificate;
mod encrypted_endpoint;
mod handshakes;
mod http_query;
mod http_response;
mod https;
mod limits;
mod quic;
mod quic_connection;
mod quic_query;
mod read_budget;
mod tls;
mod transport;

pub(super) use self::certificate::Certificate;
pub(super) use self::encrypted_endpoint::EncryptedEndpoint;
pub(super) use self::transport::{EncryptedSocket, EncryptedTransport};
