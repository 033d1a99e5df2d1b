//! Monitor kind `ping`: an ICMP echo.
//!
//! It uses the unprivileged echo sockets of Linux, which `net.ipv4.ping_group_range` allows or not.

use std::io;
use std::net::{IpAddr, SocketAddr};

use evenkeel_core::health::{ProbeNotRun, ProbeSuccess};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::outcome::ProbeError;

/// Message types (RFC 792, RFC 4443 §4).
const REQUEST_V4: u8 = 8;
const REPLY_V4: u8 = 0;
const REQUEST_V6: u8 = 128;
const REPLY_V6: u8 = 129;

/// Pings one address.
pub(super) struct Probe {
    address: IpAddr,
}

impl Probe {
    pub(super) fn new(address: IpAddr) -> Self {
        Self { address }
    }

    pub(super) async fn run(&self) -> Result<ProbeSuccess, ProbeError> {
        let (domain, protocol, request, reply) = match self.address {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4, REQUEST_V4, REPLY_V4),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6, REQUEST_V6, REPLY_V6),
        };
        let not_run = |error: io::Error| match error.kind() {
            io::ErrorKind::PermissionDenied => {
                let hint = "the kernel does not let this user ping (net.ipv4.ping_group_range)";
                ProbeError::NotRun(ProbeNotRun(format!("{hint}: {error}")))
            }
            _ => error.into(),
        };
        let socket = Socket::new(domain, Type::DGRAM, Some(protocol)).map_err(not_run)?;
        socket.set_nonblocking(true)?;
        // The kernel treats the socket like UDP: it sets identifier and checksum, and delivers only
        // replies to requests of this socket.
        let socket = UdpSocket::from_std(socket.into())?;
        socket.connect(SocketAddr::new(self.address, 0)).await?;
        let sequence = fastrand::u16(..).to_be_bytes();
        let message = [request, 0, 0, 0, 0, 0, sequence[0], sequence[1]];
        socket.send(&message).await?;
        let mut buffer = [0; 64];
        loop {
            let len = socket.recv(&mut buffer).await?;
            if len >= message.len() && buffer[0] == reply && buffer[6..8] == sequence {
                return Ok(ProbeSuccess::FULL_WEIGHT);
            }
        }
    }
}
