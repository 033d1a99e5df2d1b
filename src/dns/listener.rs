//! Sockets: bound before anything is answered, named in errors by their place in the configuration.
//!
//! `SO_REUSEPORT` lets the workers of one address share it, but it would also let another process of the same user
//! take half of the queries unseen; so every address is bound exclusively once before it is bound for real.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::num::NonZeroUsize;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Tries to find a port that is free for UDP and TCP when the system may choose.
const PORT_TRIES: usize = 20;

/// How long a worker waits for packets before it looks whether it should stop.
pub(super) const RECEIVE_WAIT: Duration = Duration::from_millis(100);

/// The sockets of one address.
#[derive(Debug)]
pub(super) struct Bound {
    /// The address, with the port that the system chose.
    pub address: SocketAddr,
    /// One for each worker.
    pub udp: Vec<UdpSocket>,
    /// Non-blocking.
    pub tcp: TcpListener,
}

/// Binds UDP, once for each worker, and TCP.
///
/// # Errors
/// The system's; `AddrInUse` also when a process of the same user shares the port.
pub(super) fn bind(address: SocketAddr, workers: NonZeroUsize) -> io::Result<Bound> {
    for _ in 1..PORT_TRIES {
        match bind_once(address, workers) {
            Err(error) if address.port() == 0 && error.kind() == io::ErrorKind::AddrInUse => {}
            outcome => return outcome,
        }
    }
    bind_once(address, workers)
}

fn bind_once(address: SocketAddr, workers: NonZeroUsize) -> io::Result<Bound> {
    let exclusive = socket(address, Type::DGRAM)?;
    exclusive.bind(&address.into())?;
    // With port 0, this is where the system chooses; the port is free again for a moment.
    let address = local_address(&exclusive)?;
    let tcp = bind_tcp(address)?;
    drop(exclusive);
    let udp = (0..workers.get()).map(|_| bind_udp(address)).collect::<io::Result<_>>()?;
    Ok(Bound { address, udp, tcp })
}

/// Binds a TCP listener, non-blocking.
///
/// # Errors
/// The system's.
pub(super) fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address, Type::STREAM)?;
    // Connections of a server that ran before may linger in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket(address, Type::DGRAM)?;
    socket.set_reuse_port(true)?;
    socket.set_read_timeout(Some(RECEIVE_WAIT))?;
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
    use super::*;

    const ONE: NonZeroUsize = NonZeroUsize::MIN;

    #[test]
    fn the_system_may_choose_one_port_for_udp_and_tcp() {
        let bound = bind("127.0.0.1:0".parse().unwrap(), NonZeroUsize::new(3).unwrap()).unwrap();
        assert_ne!(bound.address.port(), 0);
        assert_eq!(bound.tcp.local_addr().unwrap(), bound.address);
        assert_eq!(bound.udp.len(), 3);
        assert!(bound.udp.iter().all(|socket| socket.local_addr().unwrap() == bound.address));
    }

    #[test]
    fn a_port_in_use_is_noticed_although_it_could_be_shared() {
        let first = bind("127.0.0.1:0".parse().unwrap(), ONE).unwrap();
        let error = bind(first.address, ONE).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
