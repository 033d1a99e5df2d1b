//! The test double of `tests/core_double`: a Core node that was written from the vendor's
//! documents, independently of the client library and of the fake Core node.

use std::io::{BufRead, BufReader};
use std::process::{ChildStdout, Command, Stdio};

use evenkeel_client::{Cluster, Method};
use serde_json::Value;

use super::cluster::Wait;
use super::free_address;
use super::program::{Process, required};
use super::repository;

/// A double in a process of its own.
pub(crate) struct CoreDouble {
    _process: Process,
    /// Kept open: the double writes to it.
    _stdout: BufReader<ChildStdout>,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    /// The listener without faults.
    control: Cluster,
}

impl CoreDouble {
    /// Starts a double on a free loopback port, and waits until it listens.
    pub(crate) fn start(options: &[&str]) -> Self {
        let control = free_address().to_string();
        let mut command = Command::new(required("python3", "python3"));
        command.arg(repository::root().join("tests/core_double/core_double.py"));
        command.args(["--listen", "127.0.0.1:0", "--control", &control]).args(options);
        let mut process = Process::start(command.stdout(Stdio::piped()));
        let mut line = String::new();
        let mut stdout = BufReader::new(process.child.stdout.take().expect("standard output is a pipe"));
        stdout.read_line(&mut line).expect("the double prints text");
        let address = line.trim().rsplit(' ').next().expect("a split text has a last part").to_owned();
        let control = Cluster::new(&format!("http://{control}")).expect("the URL is valid");
        Self { _process: process, _stdout: stdout, address, control }
    }

    /// The URL of the double.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets faults with `PUT /_double`.
    pub(crate) fn set_faults(&self, faults: &Value) {
        let put = async {
            let pin = self.control.pin().await.expect("the double listens");
            pin.request(Method::PUT, "/_double").body(faults.to_string()).send().await.expect("the double responds")
        };
        let status = put.wait().status();
        assert!(status.is_success(), "{faults}: {status}");
    }

    /// Reads one counter of `GET /_double`.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let get = async {
            let pin = self.control.pin().await.expect("the double listens");
            let response = pin.request(Method::GET, "/_double").send().await.expect("the double responds");
            response.text().await.expect("the response is text")
        };
        let shown: Value = serde_json::from_str(&get.wait()).expect("the text is JSON");
        shown["counters"][name].as_u64().unwrap_or_else(|| panic!("no counter {name}: {shown}"))
    }
}
