//! The doors to the API: a Unix socket, through which everything can be said, and a TCP port for reading.
//!
//! Over TCP, on loopback, it can be read only, and only under a name of this machine: a page in a browser that has its own
//! name point here (DNS rebinding) reads nothing.

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
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_util::task::AbortOnDropHandle;

use super::api;
use super::bounded::Bounded;
use super::operator::Operator;
use crate::config::Admin;

/// The open doors; they are closed, and the socket's file removed, when this is dropped.
#[derive(Debug)]
pub struct Doors {
    socket: PathBuf,
    inode: u64,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl Drop for Doors {
    fn drop(&mut self) {
        // Should it stay, the next server finds that nobody listens there. One that is not ours belongs to another.
        if inode(&self.socket).is_ok_and(|inode| inode == self.inode) {
            let _ = fs::remove_file(&self.socket);
        }
    }
}

/// Opens the socket, whose owner and group may write, and, when it is configured, the port for reading.
///
/// # Errors
/// The system's, or another server listens there; the message names what cannot be opened.
pub async fn open(admin: &Admin, operator: Operator) -> anyhow::Result<Doors> {
    let socket = open_socket(&admin.socket).await;
    let socket = socket.with_context(|| format!("the admin socket {} cannot be opened", admin.socket.display()))?;
    let mut tasks = vec![serve(socket, api::writing().with_state(operator.clone()))];
    if let Some(address) = admin.listen {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("the admin address {address} cannot be listened on"))?;
        let checked = api::reading().layer(axum::middleware::from_fn(under_own_name));
        tasks.push(serve(listener, checked.with_state(operator)));
    }
    let inode = inode(&admin.socket).with_context(|| format!("the admin socket {} is gone", admin.socket.display()))?;
    Ok(Doors { socket: admin.socket.clone(), inode, _tasks: tasks })
}

fn inode(path: &Path) -> io::Result<u64> {
    fs::symlink_metadata(path).map(|file| file.ino())
}

fn serve<L>(listener: L, app: Router) -> AbortOnDropHandle<()>
where
    L: axum::serve::Listener,
    L::Addr: std::fmt::Debug,
{
    // Ends with its task.
    AbortOnDropHandle::new(tokio::spawn(async move { drop(axum::serve(Bounded::new(listener), app).await) }))
}

/// A socket that a killed server has left is replaced; anything else that is there stays.
async fn open_socket(path: &Path) -> io::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    if let Ok(file) = fs::symlink_metadata(path) {
        if !file.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
        }
        match UnixStream::connect(path).await.map_err(|error| error.kind()) {
            Err(io::ErrorKind::ConnectionRefused) => fs::remove_file(path)?,
            // Also when its queue is full: somebody is there.
            _ => return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server listens there")),
        }
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Lets requests pass whose Host is an address of loopback or `localhost`.
async fn under_own_name(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if is_own_name(host) {
        next.run(request).await
    } else {
        api::error(StatusCode::FORBIDDEN, "ask under localhost or an address of loopback")
    }
}

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
}
