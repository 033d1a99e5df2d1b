//! The listeners of the API: a Unix socket for all requests, and a TCP port on loopback for
//! requests that only read.
//!
//! Over TCP, the Host header must name this machine. So a web page whose own name resolves to
//! loopback (DNS rebinding) cannot read the API.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::Response;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_util::task::AbortOnDropHandle;

use super::api;
use super::bounded::Bounded;
use super::service::AdminService;
use crate::config::Admin;

/// Connections that wait to be accepted, as in the standard library.
const BACKLOG: i32 = 128;

/// The open listeners. Dropping this closes them and removes the file of the socket.
#[derive(Debug)]
pub struct AdminListeners {
    _file: SocketFile,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

/// The bound sockets, before requests are served.
struct Bound {
    unix: UnixListener,
    file: SocketFile,
    tcp: Option<TcpListener>,
}

/// The file of a bound Unix socket. Dropping this removes the file.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl SocketFile {
    /// The file that a listener has just created.
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), inode: inode(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another server may have put its own socket there. A file that stays behind is replaced at
        // the next start.
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Identifies a file.
fn inode(path: &Path) -> io::Result<u64> {
    fs::symlink_metadata(path).map(|file| file.ino())
}

/// Opens the socket for its owner and group and, if it is configured, the port for reading.
///
/// # Errors
/// A listener cannot be bound; the message names it. No file is left behind.
pub async fn open(admin: &Admin, service: AdminService) -> anyhow::Result<AdminListeners> {
    let Bound { unix, file, tcp } = bind(admin).await?;
    let mut tasks = vec![serve(unix, api::all_routes().with_state(service.clone()))];
    if let Some(listener) = tcp {
        let checked = api::read_routes().layer(axum::middleware::from_fn(under_own_name));
        tasks.push(serve(listener, checked.with_state(service)));
    }
    Ok(AdminListeners { _file: file, _tasks: tasks })
}

/// Binds both listeners, or none.
async fn bind(admin: &Admin) -> anyhow::Result<Bound> {
    let socket = bind_socket(&admin.socket).await;
    let (unix, file) =
        socket.with_context(|| format!("the admin socket {} cannot be opened", admin.socket.display()))?;
    let tcp = match admin.listen {
        Some(address) => {
            let listener = TcpListener::bind(address).await;
            Some(listener.with_context(|| format!("the admin address {address} cannot be listened on"))?)
        }
        None => None,
    };
    Ok(Bound { unix, file, tcp })
}

/// Binds the Unix socket. Replaces the socket that a killed server has left; keeps any other file.
async fn bind_socket(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    if let Ok(file) = fs::symlink_metadata(path) {
        if !file.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is not a socket"));
        }
        match UnixStream::connect(path).await.map_err(|error| error.kind()) {
            Err(io::ErrorKind::ConnectionRefused) => fs::remove_file(path)?,
            // A server listens there, even if its queue of connections is full.
            _ => return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server listens there")),
        }
    }
    // No process can connect before `listen`, so the mode holds for the first connection, too.
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::of(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    socket.listen(BACKLOG)?;
    Ok((UnixListener::from_std(socket.into())?, file))
}

/// Serves requests on a listener.
fn serve<L>(listener: L, routes: Router) -> AbortOnDropHandle<()>
where
    L: axum::serve::Listener,
    L::Addr: std::fmt::Debug,
{
    // The listener is closed with its task.
    AbortOnDropHandle::new(tokio::spawn(async move { drop(axum::serve(Bounded::new(listener), routes).await) }))
}

/// Refuses requests whose Host is neither `localhost` nor a loopback address.
async fn under_own_name(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if is_own_name(host) {
        next.run(request).await
    } else {
        api::error(StatusCode::FORBIDDEN, "use localhost or a loopback address as the host")
    }
}

/// Returns true for `localhost` and loopback addresses, with or without a port.
fn is_own_name(host: &str) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = without_port.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    without_port.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_names_are_those_of_loopback() {
        for own in ["localhost", "LOCALHOST:5380", "127.0.0.1:5380", "127.0.0.9", "[::1]:5380", "[::1]"] {
            assert!(is_own_name(own), "{own}");
        }
        for other in ["", "evil.example", "evil.example:5380", "127.0.0.1.evil.example", "192.0.2.1", "localhost.evil"]
        {
            assert!(!is_own_name(other), "{other}");
        }
    }

    #[tokio::test]
    async fn no_socket_is_left_behind_if_the_port_is_in_use() {
        let directory = tempfile::tempdir().unwrap();
        let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (socket, listen) = (directory.path().join("admin.sock"), holder.local_addr().ok());
        let admin = Admin { socket: socket.clone(), listen };
        assert!(bind(&admin).await.is_err(), "the port is in use");
        assert!(!socket.exists());
        drop(holder);
        let bound = bind(&admin).await.unwrap();
        assert!(socket.exists());
        drop(bound);
        assert!(!socket.exists());
    }
}
