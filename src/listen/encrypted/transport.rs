//! The encrypted transports, and their sockets.

use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};

use tokio::net::TcpListener;

use crate::config::TcpLimits;
use crate::listen::bind::{AddressUse, bind_quic, bind_tcp};
use evenkeel_core::counters::Protocol;
use evenkeel_core::respond::Transport;

/// An encrypted transport.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum EncryptedTransport {
    /// DNS over TLS (RFC 7858).
    Tls,
    /// DNS over HTTPS (RFC 8484), at this path.
    Https(String),
    /// DNS over QUIC (RFC 9250).
    Quic,
}

impl EncryptedTransport {
    /// The protocol under which its responses are counted.
    pub(crate) fn protocol(&self) -> Protocol {
        match self {
            Self::Tls => Protocol::Tls,
            Self::Https(_) => Protocol::Https,
            Self::Quic => Protocol::Quic,
        }
    }

    /// The transport of its messages.
    pub(crate) fn message_transport(&self, limits: TcpLimits) -> Transport {
        match self {
            Self::Tls => Transport::Tls(limits.idle_timeout.into()),
            Self::Https(_) | Self::Quic => Transport::HttpsOrQuic,
        }
    }

    /// The names of its protocols in handshakes (ALPN), the preferred one first.
    pub(crate) fn protocol_names(&self) -> &'static [&'static [u8]] {
        match self {
            Self::Tls => &[b"dot"],
            Self::Https(_) => &[b"h2", b"http/1.1"],
            Self::Quic => &[b"doq"],
        }
    }

    /// Binds an address.
    ///
    /// # Errors
    /// The system's. This includes `AddrInUse` if a process of the same user has bound the address
    /// with `SO_REUSEPORT`.
    pub(crate) fn bind(&self, address: SocketAddr, address_use: AddressUse) -> io::Result<EncryptedSocket> {
        Ok(match self {
            Self::Tls | Self::Https(_) => EncryptedSocket::Tcp(TcpListener::from_std(bind_tcp(address, address_use)?)?),
            Self::Quic => EncryptedSocket::Udp(bind_quic(address, address_use)?),
        })
    }
}

impl fmt::Display for EncryptedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.protocol().fmt(f)
    }
}

/// A bound socket of an encrypted transport.
#[derive(Debug)]
pub(crate) enum EncryptedSocket {
    /// For TLS and HTTPS.
    Tcp(TcpListener),
    /// For QUIC.
    Udp(UdpSocket),
}

impl EncryptedSocket {
    /// The address as bound: if port 0 is configured, with the port that the system chose.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr(),
            Self::Udp(socket) => socket.local_addr(),
        }
    }
}
