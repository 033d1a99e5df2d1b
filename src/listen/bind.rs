//! Binds the sockets of an endpoint and sets their options.
//!
//! Errors are those of the system; [`super::endpoints`] adds the place in the configuration.
//!
//! # `SO_REUSEPORT`
//!
//! The option lets the workers of one address share it, and lets a reload go from `0.0.0.0:53` to
//! `127.0.0.1:53`. It has two disadvantages:
//!
//! - Another process of the same user could bind the address too and take half of the queries,
//!   unnoticed. So each address is first bound without the option and released. This is left out
//!   only if this process itself has bound an address that overlaps.
//! - It adds about 2 % to the cost of a query, because the kernel chooses a socket per packet. So a
//!   worker that is alone at its address has it in two cases only: while this process binds an
//!   address that overlaps, and while the worker ends.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use rustix::io::Errno;
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tracing::debug;

use super::receive_buffer;
use super::socket_options::TcpDeferAccept;

/// Connections that may wait to be accepted. The kernel gives at most `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Attempts to find a port that is free for both UDP and TCP, if the system chooses the port.
const PORT_ATTEMPTS: usize = 20;

/// How long a TCP connection may be silent before it can be accepted, in seconds. Silent
/// connections wait in the kernel meanwhile, so they keep no place from clients that ask. A longer
/// time would let fewer of them fill the queue of the kernel.
const DEFER_ACCEPT: i32 = 3;

/// Send buffer of a UDP socket, in bytes. Responses to hosts of the local network wait in it until
/// the kernel knows the host's address, for up to 3 seconds; if it is full, responses are lost. The
/// kernel doubles it, and gives less if `net.core.wmem_max` is lower and the server may not exceed
/// that.
const SEND_BUFFER: usize = 4 << 20;

/// How often an idle UDP worker checks if it should stop.
pub(super) const RECEIVE_TIMEOUT: Duration = Duration::from_millis(100);

/// The sockets of an address for plain DNS, over UDP and TCP.
#[derive(Debug)]
pub(super) struct PlainSockets {
    /// The address as bound: if port 0 is configured, with the port that the system chose.
    pub address: SocketAddr,
    /// One per worker.
    pub udp: Vec<Arc<UdpSocket>>,
    /// Non-blocking.
    pub tcp: TcpListener,
}

/// What this process has bound already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum AddressUse {
    /// No address of this process overlaps. If the address is in use, another process has it.
    Free,
    /// An address that overlaps.
    OverlapsOurs,
}

/// Binds UDP sockets, one per worker, and a TCP listener.
///
/// # Errors
/// The system's. This includes `AddrInUse` if a process of the same user has bound the address with
/// `SO_REUSEPORT`.
pub(super) fn bind_plain(
    address: SocketAddr,
    workers: NonZeroUsize,
    address_use: AddressUse,
) -> io::Result<PlainSockets> {
    for _ in 1..PORT_ATTEMPTS {
        match try_bind_plain(address, workers, address_use) {
            Err(error) if address.port() == 0 && error.kind() == io::ErrorKind::AddrInUse => {}
            outcome => return outcome,
        }
    }
    try_bind_plain(address, workers, address_use)
}

fn try_bind_plain(address: SocketAddr, workers: NonZeroUsize, address_use: AddressUse) -> io::Result<PlainSockets> {
    // If the system chooses the port, it does so here. Another process can take it before it is
    // bound again.
    let address = refuse_if_in_use(address, Type::DGRAM, address_use)?;
    let tcp = bind_tcp(address, address_use)?;
    let reuse_port = workers.get() > 1 || address_use == AddressUse::OverlapsOurs;
    let udp = (0..workers.get()).map(|_| bind_udp(address, reuse_port).map(Arc::new)).collect::<io::Result<_>>()?;
    Ok(PlainSockets { address, udp, tcp })
}

/// Binds a TCP listener, non-blocking.
///
/// # Errors
/// As [`bind_plain`].
pub(super) fn bind_tcp(address: SocketAddr, address_use: AddressUse) -> io::Result<TcpListener> {
    let address = refuse_if_in_use(address, Type::STREAM, address_use)?;
    let socket = new_socket(address, Type::STREAM)?;
    // Connections of an earlier server may linger in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    if let Err(error) = setsockopt(&socket, TcpDeferAccept, &DEFER_ACCEPT) {
        debug!("{address}: this system hands over connections before they ask: {error}");
    }
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Binds one UDP socket for QUIC, non-blocking.
///
/// # Errors
/// As [`bind_plain`].
pub(super) fn bind_quic(address: SocketAddr, address_use: AddressUse) -> io::Result<UdpSocket> {
    let address = refuse_if_in_use(address, Type::DGRAM, address_use)?;
    let socket = new_socket(address, Type::DGRAM)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Fails if another process has bound the address. Returns the address; if its port is 0, with the
/// port that the system chose.
fn refuse_if_in_use(address: SocketAddr, kind: Type, address_use: AddressUse) -> io::Result<SocketAddr> {
    match address_use {
        AddressUse::Free => bind_exclusively_and_release(address, kind),
        AddressUse::OverlapsOurs => Ok(address),
    }
}

fn bind_exclusively_and_release(address: SocketAddr, kind: Type) -> io::Result<SocketAddr> {
    let exclusive = new_socket(address, kind)?;
    if kind == Type::STREAM {
        exclusive.set_reuse_address(true)?;
    }
    exclusive.bind(&address.into())?;
    if kind == Type::STREAM {
        // With `SO_REUSEADDR`, `bind` alone does not find every conflict with another listener.
        exclusive.listen(1)?;
    }
    local_address(&exclusive)
}

/// Lets this user bind addresses that overlap the address of these sockets, or no longer. With
/// several workers, the option stays set.
pub(super) fn set_reuse_port(sockets: &[Arc<UdpSocket>], reuse_port: bool) {
    for socket in sockets {
        // If this fails, binding the address that overlaps fails with `AddrInUse`.
        let _ = SockRef::from(&**socket).set_reuse_port(reuse_port || sockets.len() > 1);
    }
}

fn bind_udp(address: SocketAddr, reuse_port: bool) -> io::Result<UdpSocket> {
    let socket = new_socket(address, Type::DGRAM)?;
    socket.set_reuse_port(reuse_port)?;
    socket.set_read_timeout(Some(RECEIVE_TIMEOUT))?;
    socket.set_recv_buffer_size(receive_buffer::LONG)?;
    if setsockopt(&socket, sockopt::SndBufForce, &SEND_BUFFER).is_err() {
        // Without the capability CAP_NET_ADMIN.
        socket.set_send_buffer_size(SEND_BUFFER)?;
    }
    never_fragment(&socket, address)?;
    if address.ip().is_unspecified() {
        // A response must leave from the address to which the query was sent.
        match address {
            SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
            SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
        }
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Makes the socket send a response whole or not at all (RFC 9715 R1, R2): an attacker can replace
/// a fragment of a fragmented response.
///
/// `PROBE` sets DF and uses only the MTU of the interface, not the path MTU that ICMP messages
/// claim. With `OMIT`, routers on the path could still fragment. `PROBE` also saves the kernel the
/// lookup of the path MTU and the numbering of packets.
///
/// # Errors
/// Returns the error of the system. A system without the option may send fragments.
fn never_fragment(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    let outcome = match address {
        SocketAddr::V4(_) => set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::PROBE),
        SocketAddr::V6(_) => set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::PROBE),
    };
    match outcome {
        Err(Errno::OPNOTSUPP | Errno::NOPROTOOPT) => {
            debug!("{address}: this system may send responses in fragments");
            Ok(())
        }
        outcome => Ok(outcome?),
    }
}

fn new_socket(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let protocol = if kind == Type::DGRAM { Protocol::UDP } else { Protocol::TCP };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // The configuration lists 0.0.0.0 and [::] separately, and they are bound separately.
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("the local address is not an IP address"))
}

#[cfg(test)]
mod tests {
    use rustix::net::sockopt::{ip_mtu_discover, ipv6_mtu_discover};

    use super::*;

    const ONE: NonZeroUsize = NonZeroUsize::MIN;

    fn bind_on_loopback(address: &str, workers: NonZeroUsize) -> PlainSockets {
        bind_plain(address.parse().unwrap(), workers, AddressUse::Free).unwrap()
    }

    #[test]
    fn the_system_chooses_one_port_for_udp_and_tcp() {
        let sockets = bind_on_loopback("127.0.0.1:0", NonZeroUsize::new(3).unwrap());
        assert_ne!(sockets.address.port(), 0);
        assert_eq!(sockets.tcp.local_addr().unwrap(), sockets.address);
        assert_eq!(sockets.udp.len(), 3);
        assert!(sockets.udp.iter().all(|socket| socket.local_addr().unwrap() == sockets.address));
    }

    #[test]
    fn udp_sockets_set_df_and_ignore_the_path_mtu() {
        let v4 = bind_on_loopback("127.0.0.1:0", ONE);
        assert_eq!(ip_mtu_discover(&v4.udp[0]).unwrap(), Ipv4PathMtuDiscovery::PROBE);
        let v6 = bind_on_loopback("[::1]:0", ONE);
        assert_eq!(ipv6_mtu_discover(&v6.udp[0]).unwrap(), Ipv6PathMtuDiscovery::PROBE);
    }

    #[test]
    fn a_port_in_use_is_refused_although_it_could_be_shared() {
        let first = bind_on_loopback("127.0.0.1:0", ONE);
        let error = bind_plain(first.address, ONE, AddressUse::Free).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let error = bind_tcp(first.address, AddressUse::Free).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        set_reuse_port(&first.udp, true);
        assert!(bind_plain(first.address, ONE, AddressUse::OverlapsOurs).is_ok());
    }

    #[test]
    fn a_worker_alone_at_its_address_shares_it_only_on_demand() {
        let sockets = bind_on_loopback("127.0.0.1:0", ONE);
        let error = bind_udp(sockets.address, true).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        set_reuse_port(&sockets.udp, true);
        let second = bind_udp(sockets.address, true).unwrap();
        set_reuse_port(&sockets.udp, false);
        drop(second);
        assert_eq!(bind_udp(sockets.address, true).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
