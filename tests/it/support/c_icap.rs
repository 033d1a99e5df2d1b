//! Debian's c-icap, as a process of a test.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::program::{Process, required};
use super::{free_address, wait_until};

/// Directories where Debian puts the modules of c-icap.
const MODULES: [&str; 3] = ["/usr/lib/x86_64-linux-gnu/c_icap", "/usr/lib/aarch64-linux-gnu/c_icap", "/usr/lib/c_icap"];

/// A running c-icap.
pub(crate) struct CIcap {
    pub(crate) address: SocketAddr,
    _process: Process,
    _directory: TempDir,
}

impl CIcap {
    /// Starts c-icap with the service `echo`, or without a service, and waits until it listens.
    pub(crate) fn start(has_echo: bool) -> Self {
        let program = required("c-icap", "c-icap");
        let directory = tempfile::tempdir().expect("the test can create a directory");
        let (dir, address) = (directory.path().display(), free_address());
        let modules = MODULES.iter().find(|path| Path::new(path).exists()).expect("the package c-icap has modules");
        let service = if has_echo { "Service echo srv_echo.so\n" } else { "" };
        let text = format!(
            "PidFile {dir}/pid\nCommandsSocket {dir}/ctl\nPort {address}\nServerLog {dir}/server.log\n\
             AccessLog {dir}/access.log\nModulesDir {modules}\nServicesDir {modules}\nTmpDir {dir}\n{service}\
             StartServers 1\nMaxServers 2\nThreadsPerChild 5\n"
        );
        let path = directory.path().join("c-icap.conf");
        std::fs::write(&path, text).expect("the test can write its directory");
        let mut command = Command::new(program);
        command.arg("-N").arg("-f").arg(path).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process::start_group(&mut command);
        wait_until("c-icap listens", || TcpStream::connect(address).is_ok());
        Self { address, _process: process, _directory: directory }
    }
}
