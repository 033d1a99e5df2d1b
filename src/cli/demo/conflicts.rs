//! Finds out which addresses of the demo are in use, and by which processes.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;

use tokio::net::UnixStream;

use super::owner::{self, Process};

/// An address that the demo listens on.
#[derive(Clone, Debug)]
pub(super) enum Address {
    /// A TCP listener.
    Tcp(SocketAddr),
    /// A UDP socket.
    Udp(SocketAddr),
    /// A Unix socket by its path.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "TCP {address}"),
            Self::Udp(address) => write!(f, "UDP {address}"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

impl Address {
    /// Returns true if another process listens here. Any other error is reported when the demo
    /// starts to listen.
    async fn is_in_use(&self) -> bool {
        let is_taken = |error: io::Error| error.kind() == io::ErrorKind::AddrInUse;
        match self {
            Self::Tcp(address) => TcpListener::bind(address).is_err_and(is_taken),
            Self::Udp(address) => UdpSocket::bind(address).is_err_and(is_taken),
            Self::Unix(path) => match UnixStream::connect(path).await {
                Ok(_) => true,
                // The accept queue is full: a process listens.
                Err(error) => error.kind() == io::ErrorKind::WouldBlock,
            },
        }
    }

    /// The process that listens here, if it can be found.
    fn owner(&self) -> Option<Process> {
        match self {
            Self::Tcp(address) => owner::of_tcp(*address),
            Self::Udp(address) => owner::of_udp(*address),
            Self::Unix(path) => owner::of_unix(path),
        }
    }
}

/// Describes in one line which of the addresses are in use, by which processes, and what to do.
pub(super) async fn of(addresses: &[Address]) -> Option<String> {
    let mut in_use: Vec<(Option<Process>, Vec<String>)> = Vec::new();
    for address in addresses {
        if address.is_in_use().await {
            let owner = address.owner();
            match in_use.iter_mut().find(|(found, _)| *found == owner) {
                Some((_, addresses)) => addresses.push(address.to_string()),
                None => in_use.push((owner, vec![address.to_string()])),
            }
        }
    }
    let described: Vec<String> = in_use.iter().map(|(owner, addresses)| describe(owner.as_ref(), addresses)).collect();
    let it = if in_use.len() == 1 { "it" } else { "them" };
    (!in_use.is_empty()).then(|| format!("{}; stop {it} and start the demo again", described.join("; ")))
}

/// `TCP 127.0.0.1:5300 is in use by process 42 (named)`.
fn describe(owner: Option<&Process>, addresses: &[String]) -> String {
    let are = if addresses.len() == 1 { "is" } else { "are" };
    let owner =
        owner.map_or_else(|| "another process (run `ss -tulpnx` as root to find it)".into(), Process::to_string);
    format!("{} {are} in use by {owner}", addresses.join(", "))
}
