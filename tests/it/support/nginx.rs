//! Runs Debian's nginx for a test.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::certificates::Authority;
use super::program::{Process, required};
use super::server::write_private;
use super::{free_address, wait_until};

/// Addresses of one server of nginx, without and with TLS.
#[derive(Clone, Copy)]
pub(crate) struct Listeners {
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
}

/// A running nginx with a ready server and a busy one.
pub(crate) struct Nginx {
    /// `/readyz` has status 200, and every body is `READY`.
    pub(crate) ready: Listeners,
    /// `/readyz` has status 503, and every body is `BUSY`.
    pub(crate) busy: Listeners,
    _process: Process,
    _directory: TempDir,
}

impl Nginx {
    /// Starts nginx with a certificate for this name, and waits until it listens.
    pub(crate) fn start(authority: &Authority, name: &str) -> Self {
        let program = required("nginx", "nginx");
        let directory = tempfile::tempdir().expect("the test can create a directory");
        let dir = directory.path();
        let (certificate, key) = authority.certify(name);
        write_private(&dir.join("cert.pem"), &certificate);
        write_private(&dir.join("key.pem"), &key);
        let listeners = || Listeners { plain: free_address(), tls: free_address() };
        let (ready, busy) = (listeners(), listeners());
        let server = |listeners: Listeners, status: u16, body: &str| {
            format!(
                "server {{ listen {}; listen {} ssl; location = /readyz {{ return {status} \"{body}\"; }} \
                 location / {{ return 200 \"{body}\"; }} }}\n",
                listeners.plain, listeners.tls
            )
        };
        let servers = format!(
            "ssl_certificate {0}/cert.pem;\nssl_certificate_key {0}/key.pem;\n{1}{2}",
            dir.display(),
            server(ready, 200, "READY"),
            server(busy, 503, "BUSY"),
        );
        let process = Process::start(&mut command(Command::new(program), dir, &servers));
        wait_until("nginx listens", || TcpStream::connect(busy.tls).is_ok());
        Self { ready, busy, _process: process, _directory: directory }
    }
}

/// Completes a command for nginx, with these `server` blocks. All its files go to `directory`.
pub(crate) fn command(mut nginx: Command, directory: &Path, servers: &str) -> Command {
    // The default directories belong to root.
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {}/{kind};\n", directory.display()))
        .collect();
    // root is the only user in the user namespace of a test.
    let text = format!(
        "user root root;\ndaemon off;\nmaster_process off;\npid {}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{servers}}}\n",
        directory.display(),
    );
    let path = directory.join("nginx.conf");
    write_private(&path, &text);
    nginx.arg("-p").arg(directory).arg("-e").arg(directory.join("error.log")).arg("-c").arg(path);
    nginx.stdout(Stdio::null()).stderr(Stdio::null());
    nginx
}
