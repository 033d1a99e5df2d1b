//! `[admin]`: the listeners for commands and the API.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::section::Section;
use super::value::{Unaccepted, parsed};

/// The default of `socket`.
pub const DEFAULT_SOCKET: &str = "/run/evenkeel/admin.sock";

/// Longest path of a Unix socket, in bytes (`sun_path` of Linux without its NUL).
const MAX_SOCKET_PATH: usize = 107;

/// `[admin]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Admin {
    /// The Unix socket. Users who can open its file can send every request.
    pub socket: PathBuf,
    /// The TCP port for requests that only read, on a loopback address.
    pub listen: Option<SocketAddr>,
}

/// Reads the section.
pub(super) fn read(section: Section<'_>) -> Admin {
    let named = section.string("socket");
    let path = section.report.origin.path(named.as_ref().map_or(DEFAULT_SOCKET, |named| named.value));
    if let Some(named) = named
        && let Some(why) = unusable(named.value, &path)
    {
        section.report.error(named.span, format!("`socket` {why}"), "for example: \"/run/evenkeel/admin.sock\"");
    }
    let listen = section.read("listen", loopback);
    section.finish();
    Admin { socket: path, listen: listen.map(|listen| listen.value) }
}

/// Why a path cannot be that of a socket, if so.
fn unusable(named: &str, path: &Path) -> Option<String> {
    if named.is_empty() || named.ends_with('/') || path.file_name().is_none() {
        return Some("names no file".to_owned());
    }
    let len = path.as_os_str().len();
    let is_too_long = len > MAX_SOCKET_PATH;
    is_too_long.then(|| format!("is too long: {len} bytes of at most {MAX_SOCKET_PATH}, {}", path.display()))
}

/// Parses a loopback address with a port.
fn loopback(value: &DeValue<'_>) -> Result<SocketAddr, Unaccepted> {
    let accepted = "a loopback address with a port: \"127.0.0.1:5380\"";
    let address = parsed::<SocketAddr>(accepted)(value)?;
    let refused = || Unaccepted {
        message: format!("cannot be {address}, which other hosts can reach"),
        hint: format!("accepted: {accepted}"),
    };
    if address.ip().is_loopback() { Ok(address) } else { Err(refused()) }
}
