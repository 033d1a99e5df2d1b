//! Debian's HAProxy, as a process of a test.

use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::program::{Process, required};

/// A running HAProxy.
pub(crate) struct Haproxy {
    _process: Process,
    _directory: TempDir,
}

impl Haproxy {
    /// Starts HAProxy with the configuration that `configuration` returns for a new directory. The
    /// caller waits until it listens.
    pub(crate) fn start(configuration: impl FnOnce(&std::path::Path) -> String) -> Self {
        let program = required("haproxy", "haproxy");
        let directory = tempfile::tempdir().expect("the test can create a directory");
        let path = directory.path().join("haproxy.cfg");
        std::fs::write(&path, configuration(directory.path())).expect("the test can write its directory");
        let mut command = Command::new(program);
        command.arg("-db").arg("-f").arg(path).stdout(Stdio::null()).stderr(Stdio::null());
        Self { _process: Process::start_group(&mut command), _directory: directory }
    }
}
