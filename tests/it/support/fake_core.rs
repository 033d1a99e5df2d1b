//! A fake Core node as users start it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::program::{Running, required};
use super::server::PROGRAM;

/// A node in a process of its own.
pub(crate) struct Node {
    _process: Running,
    pub(crate) url: String,
}

impl Node {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["fake-core", "--listen", "127.0.0.1:0"]).args(arguments);
        let mut process = Running::start(command.stdout(Stdio::piped()));
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().expect("a pipe")).read_line(&mut line).expect("text");
        let address = line.trim().rsplit(' ').next().expect("an address").to_owned();
        Self { _process: process, url: format!("http://{address}") }
    }

    /// Status and body of an answer.
    pub(crate) fn ask(&self, path: &str, arguments: &[&str]) -> (u16, Value) {
        let (code, status, body) = self.curl(path, arguments);
        assert_eq!(code, 0, "{path}");
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// Exit code of curl, status and body.
    pub(crate) fn curl(&self, path: &str, arguments: &[&str]) -> (i32, u16, String) {
        let output = Command::new(required("curl", "curl"))
            .args(["--silent", "--noproxy", "*", "--max-time", "2", "--write-out", "\n%{http_code}"])
            .args(arguments)
            .arg(format!("{}{path}", self.url))
            .output()
            .expect("curl starts");
        let text = String::from_utf8(output.stdout).expect("text");
        let (body, status) = text.rsplit_once('\n').expect("a status");
        (output.status.code().expect("an exit code"), status.parse().expect("a status"), body.to_owned())
    }

    pub(crate) fn set(&self, faults: &Value) {
        assert_eq!(self.ask("/_fake", &["-X", "PUT", "-d", &faults.to_string()]).0, 200, "{faults}");
    }

    /// Sends a file; its identifier.
    pub(crate) fn send(&self, content: &str, arguments: &[&str]) -> String {
        let (status, body) = self.ask("/file", &[&["--data-binary", content], arguments].concat());
        assert_eq!(status, 200, "{body}");
        body["data_id"].as_str().expect("an identifier").to_owned()
    }

    pub(crate) fn counter(&self, name: &str) -> u64 {
        self.ask("/_fake", &[]).1[name].as_u64().expect("a number")
    }
}

/// The test string that every scanner finds, which does not stand here as it is.
pub(crate) fn eicar() -> Vec<u8> {
    br"*H+H$!ELIF-TSET-SURIVITNA-DRADNATS-RACIE$}7)CC7)^P(45XZP\4[PA@%P!O5X".iter().rev().copied().collect()
}
