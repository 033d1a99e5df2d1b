//! `evenkeel fake-core` as users start it: a process of its own, and requests with curl.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::program::{Process, required};
use super::server::PROGRAM;

/// A fake Core node in a process of its own.
pub(crate) struct FakeCoreProcess {
    _process: Process,
    pub(crate) url: String,
}

impl FakeCoreProcess {
    /// Starts a fake Core node on a free loopback port, and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["fake-core", "--listen", "127.0.0.1:0"]).args(arguments);
        let mut process = Process::start(command.stdout(Stdio::piped()));
        let mut line = String::new();
        let stdout = process.child.stdout.take().expect("standard output is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("the node prints text");
        let address = line.trim().rsplit(' ').next().expect("a split text has a last part").to_owned();
        Self { _process: process, url: format!("http://{address}") }
    }

    /// Sends a request with these arguments of curl; returns status and body of the response.
    pub(crate) fn request(&self, path: &str, arguments: &[&str]) -> (u16, Value) {
        let (code, status, body) = self.curl(path, arguments);
        assert_eq!(code, 0, "curl has no response from {path}");
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// Runs curl; returns its exit code, and status and body of the response.
    pub(crate) fn curl(&self, path: &str, arguments: &[&str]) -> (i32, u16, String) {
        let output = Command::new(required("curl", "curl"))
            .args(["--silent", "--noproxy", "*", "--max-time", "2", "--write-out", "\n%{http_code}"])
            .args(arguments)
            .arg(format!("{}{path}", self.url))
            .output()
            .expect("curl starts");
        let text = String::from_utf8(output.stdout).expect("the body is text");
        let (body, status) = text.rsplit_once('\n').expect("curl prints the status on a line of its own");
        let code = output.status.code().expect("curl ends by itself");
        (code, status.parse().expect("the status is a number"), body.to_owned())
    }

    /// Sets faults with `PUT /_fake`.
    pub(crate) fn set_faults(&self, faults: &Value) {
        assert_eq!(self.request("/_fake", &["-X", "PUT", "-d", &faults.to_string()]).0, 200, "{faults}");
    }

    /// Submits a file and returns its identifier.
    pub(crate) fn submit(&self, content: &str, arguments: &[&str]) -> String {
        let (status, body) = self.request("/file", &[&["--data-binary", content], arguments].concat());
        assert_eq!(status, 200, "{body}");
        body["data_id"].as_str().expect("data_id is text").to_owned()
    }

    /// Reads one counter of `GET /_fake`.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        self.request("/_fake", &[]).1[name].as_u64().expect("the counter is a number")
    }
}

/// The EICAR test file, which every scanner blocks.
///
/// It is stored reversed, because a scanner would also block this source file.
pub(crate) fn eicar() -> Vec<u8> {
    br"*H+H$!ELIF-TSET-SURIVITNA-DRADNATS-RACIE$}7)CC7)^P(45XZP\4[PA@%P!O5X".iter().rev().copied().collect()
}
