//! Sockets: bound before anything is answered, named in errors by their place in the configuration.
//!
//! `SO_REUSEPORT` lets the workers of one address share it, and lets a reload go from `0.0.0.0:53` to `127.0.0.1:53`. But it
//! would also let another process of the same user take half of the queries unseen; so every address is bound
//! exclusively once before it is bound for real, unless this process itself holds one that overlaps. And it costs two
//! hundredths of a query, since the system draws a socket for every packet; so the only worker of an address shares it
//! only while this process binds another one that overlaps it, and while it ends.

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

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Tries to find a port that is free for UDP and TCP when the system may choose.
const PORT_TRIES: usize = 20;

/// What a UDP socket may hold until its worker comes to it, in bytes: a burst, but no more than a few milliseconds of
/// questions. The system gives less unless `net.core.rmem_max` is raised.
const RECEIVE_BUFFER: usize = 1 << 20;

/// How long a worker waits for packets before it looks whether it should stop.
pub(super) const RECEIVE_WAIT: Duration = Duration::from_millis(100);

/// The sockets of one address.
#[derive(Debug)]
pub(super) struct Bound {
    /// The address, with the port that the system chose.
    pub address: SocketAddr,
    /// One for each worker.
    pub udp: Vec<Arc<UdpSocket>>,
    /// Non-blocking.
    pub tcp: TcpListener,
}

/// Whether an address is free, or held by this process already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Held {
    /// Nobody may hold it.
    Free,
    /// An overlapping address is bound by this process.
    ByUs,
}

/// Binds UDP, once for each worker, and TCP.
///
/// # Errors
/// The system's; `AddrInUse` also when a process of the same user shares the port.
pub(super) fn bind(address: SocketAddr, workers: NonZeroUsize, held: Held) -> io::Result<Bound> {
    for _ in 1..PORT_TRIES {
        match bind_once(address, workers, held) {
            Err(error) if address.port() == 0 && error.kind() == io::ErrorKind::AddrInUse => {}
            outcome => return outcome,
        }
    }
    bind_once(address, workers, held)
}

fn bind_once(address: SocketAddr, workers: NonZeroUsize, held: Held) -> io::Result<Bound> {
    // With port 0, the system chooses here; the port is free again for a moment then.
    let address = if held == Held::Free { try_exclusively(address, Type::DGRAM)? } else { address };
    let tcp = bind_tcp(address, held)?;
    let shares = workers.get() > 1 || held == Held::ByUs;
    let udp = (0..workers.get()).map(|_| bind_udp(address, shares).map(Arc::new)).collect::<io::Result<_>>()?;
    Ok(Bound { address, udp, tcp })
}

/// Binds a TCP listener, non-blocking.
///
/// # Errors
/// As [`bind`].
pub(super) fn bind_tcp(address: SocketAddr, held: Held) -> io::Result<TcpListener> {
    let address = if held == Held::Free { try_exclusively(address, Type::STREAM)? } else { address };
    let socket = socket(address, Type::STREAM)?;
    // Connections of a server that ran before may linger in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Binds a single UDP socket, non-blocking, for QUIC.
///
/// # Errors
/// As [`bind`].
pub(super) fn bind_quic(address: SocketAddr, held: Held) -> io::Result<UdpSocket> {
    let address = if held == Held::Free { try_exclusively(address, Type::DGRAM)? } else { address };
    let socket = socket(address, Type::DGRAM)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Binds an address so that nobody can share it, and lets it go; gives it with the port that the system chose.
fn try_exclusively(address: SocketAddr, kind: Type) -> io::Result<SocketAddr> {
    let exclusive = socket(address, kind)?;
    if kind == Type::STREAM {
        exclusive.set_reuse_address(true)?;
    }
    exclusive.bind(&address.into())?;
    if kind == Type::STREAM {
        // Only listening makes the system look at other listeners.
        exclusive.listen(1)?;
    }
    local_address(&exclusive)
}

/// Lets addresses that overlap those of these sockets be bound, by this user, or no more. Several workers of one address share
/// it in any case.
pub(super) fn share(sockets: &[Arc<UdpSocket>], shares: bool) {
    for socket in sockets {
        // Where it fails, whoever binds such an address is told that it is in use.
        let _ = SockRef::from(&**socket).set_reuse_port(shares || sockets.len() > 1);
    }
}

fn bind_udp(address: SocketAddr, shares: bool) -> io::Result<UdpSocket> {
    let socket = socket(address, Type::DGRAM)?;
    socket.set_reuse_port(shares)?;
    socket.set_read_timeout(Some(RECEIVE_WAIT))?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    never_fragment(&socket, address)?;
    if address.ip().is_unspecified() {
        // Replies must leave from the address that was asked.
        match address {
            SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
            SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
        }
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Makes the socket send replies whole or not at all (RFC 9715 R1, R2): whoever gets a reply fragmented can replace a
/// fragment. `PROBE` sets DF and believes only the interface's own MTU, not what ICMP claims of a path; with `OMIT`, routers
/// on the way could still fragment. It also spares the kernel to look for the path's MTU and to number the packet.
///
/// # Errors
/// The system's; a system that does not know the option may fragment.
fn never_fragment(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    let outcome = match address {
        SocketAddr::V4(_) => set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::PROBE),
        SocketAddr::V6(_) => set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::PROBE),
    };
    match outcome {
        Err(Errno::OPNOTSUPP | Errno::NOPROTOOPT) => {
            debug!("{address}: this system may send replies in fragments");
            Ok(())
        }
        outcome => Ok(outcome?),
    }
}

fn socket(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let protocol = if kind == Type::DGRAM { Protocol::UDP } else { Protocol::TCP };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // 0.0.0.0 and [::] are configured and bound apart.
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("not an address of the internet"))
}

#[cfg(test)]
mod tests {
    use rustix::net::sockopt::{ip_mtu_discover, ipv6_mtu_discover};

    use super::*;

    const ONE: NonZeroUsize = NonZeroUsize::MIN;

    #[test]
    fn the_system_may_choose_one_port_for_udp_and_tcp() {
        let bound = bind("127.0.0.1:0".parse().unwrap(), NonZeroUsize::new(3).unwrap(), Held::Free).unwrap();
        assert_ne!(bound.address.port(), 0);
        assert_eq!(bound.tcp.local_addr().unwrap(), bound.address);
        assert_eq!(bound.udp.len(), 3);
        assert!(bound.udp.iter().all(|socket| socket.local_addr().unwrap() == bound.address));
    }

    #[test]
    fn sockets_set_df_and_ignore_what_is_claimed_of_paths() {
        let v4 = bind("127.0.0.1:0".parse().unwrap(), ONE, Held::Free).unwrap();
        assert_eq!(ip_mtu_discover(&v4.udp[0]).unwrap(), Ipv4PathMtuDiscovery::PROBE);
        let v6 = bind("[::1]:0".parse().unwrap(), ONE, Held::Free).unwrap();
        assert_eq!(ipv6_mtu_discover(&v6.udp[0]).unwrap(), Ipv6PathMtuDiscovery::PROBE);
    }

    #[test]
    fn a_port_in_use_is_noticed_although_it_could_be_shared() {
        let first = bind("127.0.0.1:0".parse().unwrap(), ONE, Held::Free).unwrap();
        let error = bind(first.address, ONE, Held::Free).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let error = bind_tcp(first.address, Held::Free).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        share(&first.udp, true);
        assert!(bind(first.address, ONE, Held::ByUs).is_ok());
    }

    #[test]
    fn the_only_worker_of_an_address_shares_it_with_nobody_until_it_must() {
        let bound = bind("127.0.0.1:0".parse().unwrap(), ONE, Held::Free).unwrap();
        let error = bind_udp(bound.address, true).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        share(&bound.udp, true);
        let second = bind_udp(bound.address, true).unwrap();
        share(&bound.udp, false);
        drop(second);
        assert_eq!(bind_udp(bound.address, true).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
