//! What the transport of a packet decides about its response.

use crate::message::{Cookie, Keepalive, PLAIN_UDP, Query, ResponseOptions};
use crate::snapshot::Snapshot;

/// How a packet is transported. This decides how long the response can be, and which options it
/// can have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// UDP: up to the size that the client offers, see [`MAX_UDP`](crate::message::MAX_UDP).
    Udp,
    /// TCP: up to 65,535 bytes, as over all streams. With the idle timeout of the connection, if
    /// clients may know it.
    Tcp(Option<Keepalive>),
    /// TLS, with the idle timeout of the connection. Responses are padded.
    Tls(Keepalive),
    /// HTTPS and QUIC, which have idle timeouts of their own. Responses are padded.
    HttpsOrQuic,
}

impl Transport {
    /// The longest response to a query, in bytes.
    pub(super) fn limit(self, query: &Query<'_>) -> u16 {
        match self {
            Self::Udp => query.edns.as_ref().map_or(PLAIN_UDP, |edns| edns.udp_limit()),
            Self::Tcp(_) | Self::Tls(_) | Self::HttpsOrQuic => u16::MAX,
        }
    }

    /// The options that responses can have.
    pub(super) fn options(self, cookie: Option<Cookie>, snapshot: &Snapshot) -> ResponseOptions<'_> {
        let options = ResponseOptions { nsid: snapshot.config.nsid.as_deref(), cookie, ..ResponseOptions::default() };
        match self {
            Self::Udp => options,
            Self::Tcp(keepalive) => ResponseOptions { keepalive, ..options },
            Self::Tls(keepalive) => ResponseOptions { keepalive: Some(keepalive), padding: true, ..options },
            Self::HttpsOrQuic => ResponseOptions { padding: true, ..options },
        }
    }
}

/// The bounds of one response.
pub(super) struct Bounds<'s> {
    /// The longest response, in bytes.
    pub(super) limit: usize,
    /// The options that it can have.
    pub(super) options: ResponseOptions<'s>,
}
