//! Debian's nginx, with one server that is well and one that is not, each with and without TLS.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::authority::Authority;
use super::program::{Running, required};
use super::server::write_private;
use super::{free_address, wait_until};

/// Addresses of a server.
#[derive(Clone, Copy)]
pub(crate) struct Listeners {
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
}

/// A running nginx.
pub(crate) struct Nginx {
    /// `/readyz` has status 200, everything else is `READY`.
    pub(crate) well: Listeners,
    /// `/readyz` has status 503, everything else is `BUSY`.
    pub(crate) busy: Listeners,
    _process: Running,
    _directory: TempDir,
}

impl Nginx {
    /// With a certificate for a name.
    pub(crate) fn start(authority: &Authority, name: &str) -> Self {
        let program = required("nginx", "nginx");
        let directory = tempfile::tempdir().expect("a directory for nginx");
        let dir = directory.path();
        let (certificate, key) = authority.certify(name);
        write_private(&dir.join("cert.pem"), &certificate);
        write_private(&dir.join("key.pem"), &key);
        let listeners = || Listeners { plain: free_address(), tls: free_address() };
        let (well, busy) = (listeners(), listeners());
        let server = |listeners: Listeners, status: u16, word: &str| {
            format!(
                "server {{ listen {}; listen {} ssl; location = /readyz {{ return {status} \"{word}\"; }} \
                 location / {{ return 200 \"{word}\"; }} }}\n",
                listeners.plain, listeners.tls
            )
        };
        let servers = format!(
            "ssl_certificate {0}/cert.pem;\nssl_certificate_key {0}/key.pem;\n{1}{2}",
            dir.display(),
            server(well, 200, "READY"),
            server(busy, 503, "BUSY"),
        );
        let process = Running::start(&mut command(Command::new(program), dir, &servers));
        wait_until("nginx listens", || TcpStream::connect(busy.tls).is_ok());
        Self { well, busy, _process: process, _directory: directory }
    }
}

/// nginx with servers in its own words, and with what it writes in a directory of the test.
pub(crate) fn command(mut nginx: Command, directory: &Path, servers: &str) -> Command {
    // Where it would write otherwise belongs to root.
    let written: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("{what}_temp_path {}/{what};\n", directory.display()))
        .collect();
    // As whoever runs it: in a namespace of its own there is nobody else.
    let text = format!(
        "user root root;\ndaemon off;\nmaster_process off;\npid {}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{written}{servers}}}\n",
        directory.display(),
    );
    let path = directory.join("nginx.conf");
    write_private(&path, &text);
    nginx.arg("-p").arg(directory).arg("-e").arg(directory.join("error.log")).arg("-c").arg(path);
    nginx.stdout(Stdio::null()).stderr(Stdio::null());
    nginx
}
