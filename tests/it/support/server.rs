//! The real binary on port 0, with a directory of its own.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::namespace::Namespace;
use super::packet::Client;
use super::program::{output_of, required};
use super::{PATIENCE, wait_until};

/// The built program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_evenkeel");

/// The zone most tests use.
pub(crate) const ZONE: &str = "\
$TTL 300
@    SOA ns1 hostmaster 1 3600 900 604800 5
     NS  ns1
ns1  A   192.0.2.1
core TXT \"beside the shared name\"
core MX  10 ns1
scan CNAME core
www  A   192.0.2.80
";

/// A pool of one node that nobody probes, behind `core.lb.example`.
pub(crate) const CONFIG: &str = r#"
[server]
listen = ["127.0.0.1:0"]
[zones."lb.example"]
file = "lb.zone"
[pools.core]
nodes = [{ name = "a", address = "192.0.2.11" }]
[names."core.lb.example"]
pool = "core"
"#;

/// Writes a file that only its owner can read, as keys must be.
pub(crate) fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a file for the test");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("a file of ours");
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    directory: TempDir,
    log: Log,
    /// Transports and their addresses, from the `ready` line.
    addresses: Vec<(String, SocketAddr)>,
}

impl Server {
    /// Starts `serve` with a configuration, [`ZONE`] beside it as `lb.zone`, and waits until it is ready.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_with(&[("evenkeel.toml", config), ("lb.zone", ZONE)])
    }

    /// Starts with these files, the first of them the configuration.
    pub(crate) fn start_with(files: &[(&str, &str)]) -> Self {
        let mut server = Self::launch(files);
        server.wait_until_ready();
        server
    }

    fn wait_until_ready(&mut self) {
        wait_until("the server is ready", || {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the server ended with {status}:\n{}", self.log());
            }
            self.log_has("ready: ")
        });
        self.read_addresses("ready: ");
    }

    /// Starts without waiting.
    pub(crate) fn launch(files: &[(&str, &str)]) -> Self {
        Self::launch_logging_to(Stdio::piped(), files)
    }

    /// Starts without waiting, with a log of its own; only a pipe can be read by the test.
    pub(crate) fn launch_logging_to(stderr: Stdio, files: &[(&str, &str)]) -> Self {
        Self::launch_as(Command::new(PROGRAM), stderr, files)
    }

    /// Starts in a network with these files, the first of them the configuration.
    pub(crate) fn start_in(network: &Namespace, files: &[(&str, &str)]) -> Self {
        let mut server = Self::launch_as(network.command(PROGRAM), Stdio::piped(), files);
        server.wait_until_ready();
        server
    }

    fn launch_as(program: Command, stderr: Stdio, files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the test");
        for (name, text) in files {
            write_private(&directory.path().join(name), text);
        }
        let (child, log) = spawn(program, directory.path(), files[0].0, stderr);
        Self { child, directory, log, addresses: Vec::new() }
    }

    /// Reads the addresses of the last line that has `marker`: `ready: UDP+TCP 127.0.0.1:1, TLS 127.0.0.1:2; …`.
    pub(crate) fn read_addresses(&mut self, marker: &str) {
        let log = self.log();
        let line = log.lines().rfind(|line| line.contains(marker)).expect("waited for before");
        let (_, rest) = line.split_once(marker).expect("found just above");
        let (addresses, _) = rest.split_once(';').expect("the generation follows");
        self.addresses = addresses
            .split(", ")
            .map(|item| {
                let (transport, address) = item.split_once(' ').expect("transport and address");
                (transport.to_owned(), address.parse().expect("an address"))
            })
            .collect();
    }

    /// The first address of a transport: `UDP+TCP`, `TLS`, `HTTPS`, `QUIC`.
    pub(crate) fn address_of(&self, transport: &str) -> SocketAddr {
        let found = self.addresses.iter().find(|(name, _)| name == transport);
        found.unwrap_or_else(|| panic!("no {transport} in {:?}", self.addresses)).1
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address_of("UDP+TCP")
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address())
    }

    /// What Debian's `dig` prints.
    pub(crate) fn dig(&self, arguments: &str) -> String {
        self.dig_by(Command::new(Self::required_dig()), self.address().ip(), arguments)
    }

    /// The same in a network, at one of its addresses.
    pub(crate) fn dig_in(&self, network: &Namespace, asked: IpAddr, arguments: &str) -> String {
        self.dig_by(network.command(Self::required_dig()), asked, arguments)
    }

    fn required_dig() -> PathBuf {
        required("dig", "bind9-dnsutils")
    }

    fn dig_by(&self, mut dig: Command, asked: IpAddr, arguments: &str) -> String {
        dig.arg(format!("@{asked}")).args(["-p", &self.address().port().to_string()]).args(arguments.split(' '));
        loop {
            let printed = output_of(&mut dig);
            // Its sockets share ports within a user; once in thousands it is given the server's own and hears itself.
            if !printed.contains("query response not set") {
                return printed;
            }
        }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("no holder panics").join("\n")
    }

    pub(crate) fn log_has(&self, text: &str) -> bool {
        self.log().contains(text)
    }

    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) {
        let began = std::time::Instant::now();
        while !self.log_has(text) {
            assert!(began.elapsed() < PATIENCE, "waited in vain for \"{text}\" in the log:\n{}", self.log());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Replaces a file beside the configuration.
    pub(crate) fn write(&self, name: &str, text: &str) {
        write_private(&self.directory.path().join(name), text);
    }

    /// Sends a signal by its name, such as `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        output_of(Command::new("/bin/sh").arg("-c").arg(format!("kill -{name} {}", self.id())));
    }

    /// Writes a configuration, reloads, and waits for the line that says what came of it.
    pub(crate) fn reload(&mut self, config: &str) {
        self.write("evenkeel.toml", config);
        let count = |server: &Self| server.log().matches("reload").count();
        let before = count(self);
        self.signal("HUP");
        wait_until("the reload is over", || count(self) > before);
        if self.log().lines().rfind(|line| line.contains("reload")).is_some_and(|line| line.contains("reloaded: ")) {
            self.read_addresses("reloaded: ");
        }
    }

    /// Kills the process at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts again with the files as they are now, and waits until it is ready. The log begins anew.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let (child, log) = spawn(Command::new(PROGRAM), self.directory.path(), "evenkeel.toml", Stdio::piped());
        (self.child, self.log) = (child, log);
        self.wait_until_ready();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the server has ended", || {
            status = self.child.try_wait().expect("a child of this process");
            status.is_some()
        });
        status.expect("waited for just above")
    }

    /// A line of `/proc/PID/status`, such as `VmRSS`, in kilobytes.
    pub(crate) fn status_kb(&self, key: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("a running process");
        let line = status.lines().find(|line| line.starts_with(key)).expect("a line of /proc/PID/status");
        line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("a number of kilobytes")
    }
}

type Log = Arc<Mutex<Vec<String>>>;

/// Starts `serve` with a configuration of a directory; gives the lines that it logs to a pipe.
fn spawn(mut program: Command, directory: &Path, config: &str, stderr: Stdio) -> (Child, Log) {
    let mut child = program
        .arg("serve")
        .arg("--config")
        .arg(directory.join(config))
        .stderr(stderr)
        .spawn()
        .expect("the built program starts");
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&log);
    if let Some(stderr) = child.stderr.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().expect("no holder panics").push(line);
            }
        });
    }
    (child, log)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("log of the server:\n{}", self.log());
        }
    }
}
