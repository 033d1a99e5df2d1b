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
use crate::support::program::{Running, output_of, required};
use crate::support::server::PROGRAM;
use crate::support::wait_until;

/// A running demo. It is stopped by SIGTERM, so that it removes its socket.
struct Demo(Running);

impl Drop for Demo {
    fn drop(&mut self) {
        let kill = format!("kill -TERM {}", self.0.0.id());
        if Command::new("/bin/sh").arg("-c").arg(kill).status().is_ok_and(|status| status.success()) {
            let _ = self.0.0.wait();
        }
    }
}

/// The network in which a test runs the demo.
enum Network {
    Namespace(Namespace),
    /// The network of this machine: a namespace cannot be created. One test at a time uses it.
    Machine {
        why: String,
        _lock: MutexGuard<'static, ()>,
    },
}

impl Network {
    fn new() -> Self {
        static MACHINE: Mutex<()> = Mutex::new(());
        let programs = Path::new(PROGRAM).parent().expect("a directory of cargo");
        match Namespace::with_empty_tmp(&[programs]) {
            Ok(namespace) => Self::Namespace(namespace),
            Err(why) => Self::Machine { why, _lock: MACHINE.lock().unwrap_or_else(PoisonError::into_inner) },
        }
    }

    /// A program in this network.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match self {
            Self::Namespace(namespace) => namespace.command(program),
            Self::Machine { .. } => Command::new(program),
        };
        command.env("no_proxy", "*");
        command
    }

    /// The output of a shell command.
    #[track_caller]
    fn run(&self, line: &str) -> String {
        output_of(self.command("/bin/sh").arg("-c").arg(line))
    }

    /// Starts the demo and waits until it answers.
    ///
    /// # Panics
    /// Without a namespace, if an address of the demo is in use on this machine.
    fn start_demo(&self) -> Demo {
        let log = tempfile::NamedTempFile::new().expect("a file for the test");
        let stderr = log.reopen().expect("a file of ours");
        let mut demo = Demo(Running::start(self.command(PROGRAM).arg("demo").stdout(Stdio::null()).stderr(stderr)));
        let read = || std::fs::read_to_string(log.path()).expect("a file of ours");
        wait_until("the demo is ready", || {
            if let Ok(Some(status)) = demo.0.0.try_wait() {
                panic!("the demo ended with {status}:\n{}{}", read(), self.hint());
            }
            read().contains("ready: ")
        });
        demo
    }

    /// What else helps if an address is in use on this machine.
    fn hint(&self) -> String {
        match self {
            Self::Namespace(_) => String::new(),
            Self::Machine { why, .. } => format!(
                "the test ran in the network of this machine, because it could not create a network namespace: {why}\n\
                 free the address above, or run the test as root or as a user who may create user namespaces"
            ),
        }
    }

    /// Starts a program that uses addresses of the demo, and waits until it listens.
    fn occupy(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(PROGRAM);
        let mut occupant = Running::start(command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()));
        let mut ready = [0];
        let stdout = occupant.0.stdout.as_mut().expect("a pipe");
        std::io::Read::read_exact(stdout, &mut ready).expect("a line when it listens");
        occupant
    }

    /// Runs a demo that cannot start; returns its exit status and its output.
    fn run_refused_demo(&self) -> (ExitStatus, String) {
        let output = self.command(PROGRAM).arg("demo").output().expect("the built program starts");
        (output.status, String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }

    /// What `dig` prints for the shared name.
    fn dig(&self, options: &str) -> String {
        self.run(&format!("dig @127.0.0.1 -p 5300 core.lb.example {options}"))
    }

    /// Last octets of the addresses in a response.
    fn answered(&self) -> BTreeSet<u8> {
        let octet = |line: &str| line.rsplit('.').next()?.parse().ok();
        self.dig("+short").lines().filter_map(octet).collect()
    }

    fn set_readyz(&self, octet: u8, status: u16) {
        let url = format!("http://127.0.0.{octet}:8008/_fake");
        self.run(&format!("curl --silent --fail -X PUT {url} -d '{{\"readyz\": {status}}}'"));
    }
}

/// The commands of the README's tour, in their order.
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
fn the_demo_answers_follows_faults_and_fails_open() {
    required("dig", "bind9-dnsutils");
    required("curl", "curl");
    let network = Network::new();
    let _demo = network.start_demo();
    assert_eq!(network.answered(), BTreeSet::from([11, 12, 13]));
    for command in tour() {
        let printed = network.run(&command);
        let is_silent = [" drain ", " resume ", " nominate ", " unregister "].iter().any(|word| command.contains(word));
        assert!(
            is_silent || ["127.0.0.1", "readyz", "core-1", "product_id"].iter().any(|text| printed.contains(text)),
            "{command}: {printed}"
        );
        if command.contains(" nominate ") {
            wait_until("the backup is answered", || network.answered().contains(&14));
        }
    }
    wait_until("core-2 is down, as the README says", || network.answered() == BTreeSet::from([11, 13]));
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
fn a_second_demo_names_the_first_and_leaves_it_alone() {
    required("dig", "bind9-dnsutils");
    let network = Network::new();
    let first = network.start_demo();
    let (status, printed) = network.run_refused_demo();
    assert_eq!(status.code(), Some(1), "{printed}");
    let addresses = "TCP 127.0.0.11:8008, TCP 127.0.0.12:8008, TCP 127.0.0.13:8008, TCP 127.0.0.14:8008, \
         UDP 127.0.0.1:5300, TCP 127.0.0.1:5300, TCP 127.0.0.1:5380, /tmp/evenkeel-demo.sock";
    let owner = format!("process {} (evenkeel)", first.0.0.id());
    let message = format!("not started: {addresses} are in use by {owner}; stop it and start the demo again\n");
    assert!(printed.ends_with(&message) && printed.lines().count() == 1, "{printed}");
    assert_eq!(network.answered(), BTreeSet::from([11, 12, 13]));
    let status = network.run(&format!("{PROGRAM} status --socket /tmp/evenkeel-demo.sock"));
    assert!(status.contains("core-1"), "{status}");
}

#[test]
fn the_demo_names_processes_that_use_its_addresses() {
    let network = Network::new();
    let node = network.occupy(&["fake-core", "--listen", "127.0.0.13:8008"]);
    // A wildcard address stands in the way as well.
    let admin = network.occupy(&["fake-core", "--listen", "0.0.0.0:5380"]);
    let (status, printed) = network.run_refused_demo();
    assert_eq!(status.code(), Some(1), "{printed}");
    let message = format!(
        "not started: TCP 127.0.0.13:8008 is in use by process {} (evenkeel); TCP 127.0.0.1:5380 is in use by process \
         {} (evenkeel); stop them and start the demo again\n",
        node.0.id(),
        admin.0.id()
    );
    assert!(printed.ends_with(&message) && printed.lines().count() == 1, "{printed}");
    drop((node, admin));
    network.run("test ! -e /tmp/evenkeel-demo.sock");
    let _demo = network.start_demo();
}
