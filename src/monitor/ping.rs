//! Ping probes: an ICMP echo through the kernel's unprivileged echo sockets (`net.ipv4.ping_group_range`).

use std::net::{IpAddr, SocketAddr};

use evenkeel_core::health::ProbeSuccess;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::outcome::Broken;

/// Types of the messages (RFC 792, RFC 4443 §4).
const REQUEST_V4: u8 = 8;
const REPLY_V4: u8 = 0;
const REQUEST_V6: u8 = 128;
const REPLY_V6: u8 = 129;

pub(super) struct Probe {
    address: IpAddr,
}

impl Probe {
    pub(super) fn new(address: IpAddr) -> Self {
        Self { address }
    }

    pub(super) async fn run(&self) -> Result<ProbeSuccess, Broken> {
        let (domain, protocol, request, reply) = match self.address {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4, REQUEST_V4, REPLY_V4),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6, REQUEST_V6, REPLY_V6),
        };
        let forbidden = |error| {
            let hint = "the kernel allows no ping to this user (net.ipv4.ping_group_range)";
            Broken::Machine(format!("{hint}: {error}"))
        };
        let socket = Socket::new(domain, Type::DGRAM, Some(protocol)).map_err(forbidden)?;
        socket.set_nonblocking(true)?;
        // The kernel treats it like UDP: it fills in identifier and checksum, and gives only replies to this socket.
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
