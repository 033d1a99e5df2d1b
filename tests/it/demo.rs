//! `evenkeel demo`, as a new user runs it, and with addresses that are in use.
//!
//! The demo has fixed addresses. Its tests run in network namespaces, so that they pass while a
//! demo runs on this machine.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::support::namespace::Namespace;
use crate::support::program::{Process, output_of, required};
use crate::support::server::PROGRAM;
use crate::support::wait_until;

/// A running demo. It is stopped by SIGTERM, so that it removes its socket.
struct Demo(Process);

impl Drop for Demo {
    fn drop(&mut self) {
        // A panic here would abort the tests, so an error of `kill` is ignored: the demo has ended.
        let kill = format!("kill -TERM {}", self.0.child.id());
        if Command::new("/bin/sh").arg("-c").arg(kill).status().is_ok_and(|status| status.success()) {
            let _ = self.0.child.wait();
        }
    }
}

/// The network in which a test runs the demo.
enum Network {
    Namespace(Namespace),
    /// The network of this machine, because a namespace cannot be created. One test at a time uses
    /// it.
    Machine {
        reason: String,
        _lock: MutexGuard<'static, ()>,
    },
}

impl Network {
    fn new() -> Self {
        static MACHINE: Mutex<()> = Mutex::new(());
        let programs = Path::new(PROGRAM).parent().expect("the program is in a directory");
        match Namespace::with_empty_tmp(&[programs]) {
            Ok(namespace) => Self::Namespace(namespace),
            Err(reason) => Self::Machine { reason, _lock: MACHINE.lock().unwrap_or_else(PoisonError::into_inner) },
        }
    }

    /// A command that runs in this network.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match self {
            Self::Namespace(namespace) => namespace.command(program),
            Self::Machine { .. } => Command::new(program),
        };
        command.env("no_proxy", "*");
        command
    }

    /// Runs a shell command, which must succeed; returns its output.
    #[track_caller]
    fn run(&self, line: &str) -> String {
        output_of(self.command("/bin/sh").arg("-c").arg(line))
    }

    /// Starts the demo and waits until it is ready.
    ///
    /// # Panics
    /// Panics if there is no namespace and an address of the demo is in use on this machine.
    fn start_demo(&self) -> Demo {
        let log = tempfile::NamedTempFile::new().expect("the test can write its directory");
        let stderr = log.reopen().expect("the test owns the file");
        let mut demo = Demo(Process::start(self.command(PROGRAM).arg("demo").stdout(Stdio::null()).stderr(stderr)));
        let read = || std::fs::read_to_string(log.path()).expect("the test owns the file");
        wait_until("the demo is ready", || {
            if let Ok(Some(status)) = demo.0.child.try_wait() {
                panic!("the demo ended with {status}:\n{}{}", read(), self.hint());
            }
            read().contains("ready: ")
        });
        demo
    }

    /// Advice for a demo that cannot start because an address is in use on this machine.
    fn hint(&self) -> String {
        match self {
            Self::Namespace(_) => String::new(),
            Self::Machine { reason, .. } => format!(
                "the test ran in the network of this machine, because it could not create a network namespace: {reason}\n\
                 free the address above, or run the test as root or as a user who may create user namespaces"
            ),
        }
    }

    /// Starts a program that uses addresses of the demo, and waits until it listens.
    fn occupy(&self, arguments: &[&str]) -> Process {
        let mut command = self.command(PROGRAM);
        let mut occupant = Process::start(command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()));
        let mut ready = [0];
        let stdout = occupant.child.stdout.as_mut().expect("standard output is a pipe");
        std::io::Read::read_exact(stdout, &mut ready).expect("the program prints a line when it listens");
        occupant
    }

    /// Runs a demo that cannot start; returns its exit status and its output.
    fn run_refused_demo(&self) -> (ExitStatus, String) {
        let output = self.command(PROGRAM).arg("demo").output().expect("the built program starts");
        (output.status, String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }

    /// The output of `dig` for the shared name.
    fn dig(&self, options: &str) -> String {
        self.run(&format!("dig @127.0.0.1 -p 5300 core.lb.example {options}"))
    }

    /// The last octets of the addresses in a response.
    fn answered(&self) -> BTreeSet<u8> {
        let octet = |line: &str| line.rsplit('.').next()?.parse().ok();
        self.dig("+short").lines().filter_map(octet).collect()
    }

    /// Sets the status of `/readyz` of a node.
    fn set_readyz(&self, octet: u8, status: u16) {
        let url = format!("http://127.0.0.{octet}:8008/_fake");
        self.run(&format!("curl --silent --fail -X PUT {url} -d '{{\"readyz\": {status}}}'"));
    }
}

/// The commands of the tour in README.md, in their order.
fn tour() -> impl Iterator<Item = String> {
    let is_of_the_tour = |line: &&str| {
        line.starts_with("dig @127")
            || line.starts_with("curl ")
            || line.starts_with("pin=")
            || line.starts_with("cargo run") && (line.contains("--socket") || line.contains("--server"))
    };
    let lines = include_str!("../../README.md").lines().filter(is_of_the_tour);
    lines.map(|line| line.replace("cargo run --release --", PROGRAM))
}

#[test]
fn the_demo_answers_takes_out_nodes_with_faults_and_fails_open() {
    required("dig", "bind9-dnsutils");
    required("curl", "curl");
    let network = Network::new();
    let _demo = network.start_demo();
    assert_eq!(network.answered(), BTreeSet::from([11, 12, 13]));
    for command in tour() {
        let printed = network.run(&command);
        let is_silent = [" drain ", " resume ", " nominate ", " demote "].iter().any(|word| command.contains(word));
        assert!(
            is_silent || ["127.0.0.1", "readyz", "core-1", "product_id"].iter().any(|text| printed.contains(text)),
            "{command}: {printed}"
        );
        if command.contains(" nominate ") {
            wait_until("the backup is answered", || network.answered().contains(&14));
        }
    }
    wait_until("core-2 is down, as README.md says", || network.answered() == BTreeSet::from([11, 13]));
    network.set_readyz(12, 200);
    wait_until("core-2 is up", || network.answered() == BTreeSet::from([11, 12, 13]));
    let ttls: BTreeSet<String> = network
        .dig("+noall +answer")
        .lines()
        .map(|line| line.split_whitespace().nth(1).unwrap_or_default().to_owned())
        .collect();
    assert_eq!(ttls, BTreeSet::from(["5".to_owned()]));
    network.set_readyz(12, 503);
    wait_until("core-2 is down", || network.answered() == BTreeSet::from([11, 13]));
    network.set_readyz(11, 503);
    network.set_readyz(13, 503);
    wait_until("all are down and the pool fails open", || network.answered() == BTreeSet::from([11, 12, 13]));
    network.set_readyz(12, 200);
    wait_until("core-2 is up", || network.answered() == BTreeSet::from([12]));
}

#[test]
fn a_second_demo_names_the_process_of_the_first_and_does_not_disturb_it() {
    required("dig", "bind9-dnsutils");
    let network = Network::new();
    let first = network.start_demo();
    let (status, printed) = network.run_refused_demo();
    assert_eq!(status.code(), Some(1), "{printed}");
    let addresses = "TCP 127.0.0.11:8008, TCP 127.0.0.12:8008, TCP 127.0.0.13:8008, TCP 127.0.0.14:8008, \
         UDP 127.0.0.1:5300, TCP 127.0.0.1:5300, TCP 127.0.0.1:5380, /tmp/evenkeel-demo.sock";
    let owner = format!("process {} (evenkeel)", first.0.child.id());
    let message = format!("not started: {addresses} are in use by {owner}; stop it and start the demo again\n");
    assert!(printed.ends_with(&message) && printed.lines().count() == 1, "{printed}");
    assert_eq!(network.answered(), BTreeSet::from([11, 12, 13]));
    let status = network.run(&format!("{PROGRAM} status --socket /tmp/evenkeel-demo.sock"));
    assert!(status.contains("core-1"), "{status}");
}

#[test]
fn a_demo_that_cannot_start_names_the_processes_that_use_its_addresses() {
    let network = Network::new();
    let node = network.occupy(&["fake-core", "--listen", "127.0.0.13:8008"]);
    // A wildcard address blocks the port of the demo as well.
    let admin = network.occupy(&["fake-core", "--listen", "0.0.0.0:5380"]);
    let (status, printed) = network.run_refused_demo();
    assert_eq!(status.code(), Some(1), "{printed}");
    let message = format!(
        "not started: TCP 127.0.0.13:8008 is in use by process {} (evenkeel); TCP 127.0.0.1:5380 is in use by process \
         {} (evenkeel); stop them and start the demo again\n",
        node.child.id(),
        admin.child.id()
    );
    assert!(printed.ends_with(&message) && printed.lines().count() == 1, "{printed}");
    drop((node, admin));
    network.run("test ! -e /tmp/evenkeel-demo.sock");
    let _demo = network.start_demo();
}
