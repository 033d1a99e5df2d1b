//! Finds the process that owns a socket, in Linux's `/proc`.
//!
//! The tables in `/proc/net` give the inode of a socket, and `/proc/PID/fd` gives the process that
//! holds this inode. The owner is unknown if the process belongs to another user and evenkeel does
//! not run as root. It is unknown, too, if the socket is in another network namespace.

use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// A running process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Process {
    id: u32,
    /// As `ps` shows it, at most 15 characters.
    name: String,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({})", self.id, self.name)
    }
}

/// The process that listens on a TCP address, or on a wildcard address with this port.
pub(super) fn of_tcp(address: SocketAddr) -> Option<Process> {
    const LISTEN: &str = "0A";
    of_ip_socket(address, &["tcp", "tcp6"], |state| state == LISTEN)
}

/// The process that has bound a UDP address, or a wildcard address with this port.
pub(super) fn of_udp(address: SocketAddr) -> Option<Process> {
    of_ip_socket(address, &["udp", "udp6"], |_| true)
}

/// The process that listens on a Unix socket.
pub(super) fn of_unix(path: &Path) -> Option<Process> {
    const ACCEPTS_CONNECTIONS: &str = "00010000";
    let table = fs::read_to_string("/proc/net/unix").ok()?;
    // Num RefCount Protocol Flags Type St Inode Path
    let listens = |line: &&str| {
        let mut fields = line.split_whitespace();
        fields.nth(3) == Some(ACCEPTS_CONNECTIONS) && fields.nth(3).is_some_and(|found| Path::new(found) == path)
    };
    let inode = table.lines().find(listens)?.split_whitespace().nth(6)?;
    holder_of(inode)
}

/// Searches tables of `/proc/net`. A socket that is bound to the address itself comes first.
fn of_ip_socket(address: SocketAddr, tables: &[&str], is_wanted: impl Fn(&str) -> bool) -> Option<Process> {
    let tables = tables.iter().filter_map(|table| fs::read_to_string(format!("/proc/net/{table}")).ok());
    let text: String = tables.collect();
    // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
    let sockets = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let local = parse_address(fields.get(1)?)?;
        let is_match = local.port() == address.port() && is_wanted(fields.get(3)?);
        is_match.then_some((local.ip().to_canonical(), *fields.get(9)?))
    });
    let mut sockets: Vec<_> = sockets.filter(|(ip, _)| *ip == address.ip() || ip.is_unspecified()).collect();
    sockets.sort_by_key(|(ip, _)| ip.is_unspecified());
    sockets.into_iter().find_map(|(_, inode)| holder_of(inode))
}

/// Parses `0B00007F:1F48`: the address in groups of 32 bits in the byte order of this machine.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let group = |start: usize| Some(u32::from_str_radix(ip.get(start..start + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match ip.len() {
        8 => IpAddr::from(Ipv4Addr::from(group(0)?)),
        32 => {
            let groups = [group(0)?, group(8)?, group(16)?, group(24)?];
            IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(groups.as_flattened()).ok()?))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

/// The first process with a descriptor of this socket.
fn holder_of(inode: &str) -> Option<Process> {
    let link = format!("socket:[{inode}]");
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // Processes that end, or that this user cannot inspect, are skipped.
        let Ok(descriptors) = fs::read_dir(entry.path().join("fd")) else { continue };
        let is_holder = |path| fs::read_link(path).is_ok_and(|target| target.as_os_str() == link.as_str());
        if descriptors.flatten().any(|descriptor| is_holder(descriptor.path())) {
            let name = fs::read_to_string(entry.path().join("comm")).ok()?;
            return Some(Process { id, name: name.trim_end().to_owned() });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::net::UnixListener;

    use super::*;

    fn this_process() -> Option<Process> {
        let name = fs::read_to_string("/proc/self/comm").unwrap();
        Some(Process { id: std::process::id(), name: name.trim_end().to_owned() })
    }

    #[test]
    fn owners_of_sockets_are_found() {
        let tcp = TcpListener::bind("127.0.0.3:0").unwrap();
        assert_eq!(of_tcp(tcp.local_addr().unwrap()), this_process());
        let udp = UdpSocket::bind("127.0.0.3:0").unwrap();
        assert_eq!(of_udp(udp.local_addr().unwrap()), this_process());
        let v6 = TcpListener::bind("[::1]:0").unwrap();
        assert_eq!(of_tcp(v6.local_addr().unwrap()), this_process());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        let _unix = UnixListener::bind(&path).unwrap();
        assert_eq!(of_unix(&path), this_process());
        assert_eq!(of_unix(&directory.path().join("other.sock")), None);
    }

    #[test]
    fn owners_of_wildcard_sockets_are_found() {
        for wildcard in ["0.0.0.0:0", "[::]:0"] {
            let tcp = TcpListener::bind(wildcard).unwrap();
            let port = tcp.local_addr().unwrap().port();
            assert_eq!(of_tcp((Ipv4Addr::new(127, 0, 0, 3), port).into()), this_process(), "{wildcard}");
        }
    }

    #[test]
    fn free_addresses_have_no_owner() {
        assert_eq!(of_tcp("127.0.0.3:1".parse().unwrap()), None);
        assert_eq!(of_udp("127.0.0.3:1".parse().unwrap()), None);
    }
}
