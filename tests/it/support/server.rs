//! `evenkeel serve` on port 0, with a directory of its own.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::namespace::Namespace;
use super::packet::UdpClient;
use super::program::{output_of, required, signal};
use super::{WAIT_LIMIT, wait_until};

/// The built program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_evenkeel");

/// The zone of most tests.
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

/// A pool of one node without monitors, behind `core.lb.example`.
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

/// Writes a file that only its owner can read. evenkeel refuses keys that other users can read.
pub(crate) fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).expect("the test can write its directory");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("the test owns the file");
}

/// A running server. It is killed when the test ends; if the test fails, its log is printed.
pub(crate) struct Server {
    child: Child,
    directory: TempDir,
    log: Log,
    /// Transports and their addresses, from the line `ready` or `reloaded` of the log.
    addresses: Vec<(String, SocketAddr)>,
}

impl Server {
    /// Starts a server with a configuration and [`ZONE`] as `lb.zone`, and waits until it is ready.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_with(&[("evenkeel.toml", config), ("lb.zone", ZONE)])
    }

    /// Starts a server with these files, and waits until it is ready. The first file is the
    /// configuration.
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

    /// Starts a server without waiting.
    pub(crate) fn launch(files: &[(&str, &str)]) -> Self {
        Self::launch_logging_to(Stdio::piped(), files)
    }

    /// Starts a server without waiting. The test can read the log only if `stderr` is a pipe.
    pub(crate) fn launch_logging_to(stderr: Stdio, files: &[(&str, &str)]) -> Self {
        Self::launch_as(Command::new(PROGRAM), stderr, files)
    }

    /// As [`Server::start_with`], in a network namespace.
    pub(crate) fn start_in(network: &Namespace, files: &[(&str, &str)]) -> Self {
        let mut server = Self::launch_as(network.command(PROGRAM), Stdio::piped(), files);
        server.wait_until_ready();
        server
    }

    /// As [`Server::start_with`], with a limit of open files.
    pub(crate) fn start_with_open_files(limit: usize, files: &[(&str, &str)]) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &limit.to_string(), PROGRAM]);
        let mut server = Self::launch_as(shell, Stdio::piped(), files);
        server.wait_until_ready();
        server
    }

    fn launch_as(program: Command, stderr: Stdio, files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("the test can create a directory");
        for (name, text) in files {
            write_private(&directory.path().join(name), text);
        }
        let (child, log) = spawn(program, directory.path(), files[0].0, stderr);
        Self { child, directory, log, addresses: Vec::new() }
    }

    /// Reads the addresses from the last log line with `marker`, for example
    /// `ready: UDP+TCP 127.0.0.1:1, TLS 127.0.0.1:2; …`.
    pub(crate) fn read_addresses(&mut self, marker: &str) {
        let log = self.log();
        let line = log.lines().rfind(|line| line.contains(marker)).expect("the caller waited for the line");
        let (_, rest) = line.split_once(marker).expect("the line contains the marker");
        let (addresses, _) = rest.split_once(';').expect("a semicolon ends the addresses");
        self.addresses = addresses
            .split(", ")
            .map(|item| {
                let (transport, address) = item.split_once(' ').expect("an item is a transport and an address");
                (transport.to_owned(), address.parse().expect("the log has valid addresses"))
            })
            .collect();
    }

    /// The first address of a transport: `UDP+TCP`, `TLS`, `HTTPS`, `QUIC`.
    pub(crate) fn address_of(&self, transport: &str) -> SocketAddr {
        let found = self.addresses.iter().find(|(name, _)| name == transport);
        found.unwrap_or_else(|| panic!("{transport} is not among {:?}", self.addresses)).1
    }

    /// The first address of UDP and TCP.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address_of("UDP+TCP")
    }

    /// A new client over UDP.
    pub(crate) fn client(&self) -> UdpClient {
        UdpClient::new(self.address())
    }

    /// Runs `dig` against the server; returns its output.
    pub(crate) fn dig(&self, arguments: &str) -> String {
        self.dig_by(Command::new(Self::required_dig()), self.address().ip(), arguments)
    }

    /// Runs `dig` in a network namespace, against one address of the server.
    pub(crate) fn dig_in(&self, network: &Namespace, server: IpAddr, arguments: &str) -> String {
        self.dig_by(network.command(Self::required_dig()), server, arguments)
    }

    fn required_dig() -> PathBuf {
        required("dig", "bind9-dnsutils")
    }

    fn dig_by(&self, mut dig: Command, server: IpAddr, arguments: &str) -> String {
        dig.arg(format!("@{server}")).args(["-p", &self.address().port().to_string()]).args(arguments.split(' '));
        loop {
            let printed = output_of(&mut dig);
            // dig sets SO_REUSEPORT on its sockets. If the system gives dig the port of the server,
            // dig can receive its own query. Then the loop runs dig again.
            if !printed.contains("query response not set") {
                return printed;
            }
        }
    }

    /// All lines of the log so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("no thread panics with the lock held").join("\n")
    }

    /// Returns true if the log contains a text.
    pub(crate) fn log_has(&self, text: &str) -> bool {
        self.log().contains(text)
    }

    /// Waits until the log contains a text.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) {
        let began = std::time::Instant::now();
        while !self.log_has(text) {
            assert!(began.elapsed() < WAIT_LIMIT, "not in the log within {WAIT_LIMIT:?}: {text}\n{}", self.log());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// The directory of the configuration.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file beside the configuration.
    pub(crate) fn write(&self, name: &str, text: &str) {
        write_private(&self.directory.path().join(name), text);
    }

    /// Sends a signal by its name, for example `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        signal(name, self.id());
    }

    /// Writes a configuration, reloads, and waits until the log says how the reload ended.
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

    /// Kills the process with SIGKILL.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Kills the process and starts it again with the current files. Waits until it is ready. The
    /// log starts empty.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let (child, log) = spawn(Command::new(PROGRAM), self.directory.path(), "evenkeel.toml", Stdio::piped());
        (self.child, self.log) = (child, log);
        self.wait_until_ready();
    }

    /// The identifier of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the process ends by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the server has ended", || {
            status = self.child.try_wait().expect("the child was not waited for yet");
            status.is_some()
        });
        status.expect("the condition above has set it")
    }

    /// A value of `/proc/PID/status` in kilobytes, for example `VmRSS`.
    pub(crate) fn status_kb(&self, key: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("the process runs");
        let line = status.lines().find(|line| line.starts_with(key)).expect("/proc/PID/status has the key");
        line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("the value is a number of kilobytes")
    }
}

/// Lines of a log, in their order.
type Log = Arc<Mutex<Vec<String>>>;

/// Starts `serve` with a configuration in a directory. If `stderr` is a pipe, a thread collects the
/// log.
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
                lines.lock().expect("no thread panics with the lock held").push(line);
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
