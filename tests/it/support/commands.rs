//! Commands of `evenkeel` that an operator runs against a server, and their effect on answers.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

use serde_json::Value;

use super::packet::ipv4_addresses;
use super::server::{PROGRAM, Server};

/// A configuration with this number of nodes without monitors, an admin socket and a `state_dir`.
///
/// The nodes are `core-1` at 192.0.2.1 and so on.
pub(crate) fn config_with_nodes(count: u8) -> String {
    let nodes: String =
        (1..=count).map(|i| format!("{{ name = \"core-{i}\", address = \"192.0.2.{i}\" }},\n")).collect();
    format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nstate_dir = \"state\"\n[admin]\nsocket = \"admin.sock\"\n\
         [zones.\"lb.example\"]\nfile = \"lb.zone\"\n[pools.core]\nnodes = [\n{nodes}]\n[names.\"core.lb.example\"]\n\
         pool = \"core\"\nttl = \"1s\"\n"
    )
}

/// Runs a command as the operator `ops`; `arguments` are separated by single spaces.
pub(crate) fn evenkeel(server: &Server, arguments: &str) -> Output {
    Command::new(PROGRAM)
        .args(arguments.split(' '))
        .env("EVENKEEL_SOCKET", server.directory().join("admin.sock"))
        .env("USER", "ops")
        .env_remove("SUDO_USER")
        .output()
        .expect("the built program starts")
}

/// Runs a command that must succeed; returns its standard output.
#[track_caller]
pub(crate) fn run(server: &Server, arguments: &str) -> String {
    let output = evenkeel(server, arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "evenkeel {arguments}: {errors}");
    String::from_utf8(output.stdout).expect("commands print text")
}

/// Runs a command that the server must refuse; returns the message.
#[track_caller]
pub(crate) fn refusal(server: &Server, arguments: &str) -> String {
    let output = evenkeel(server, arguments);
    assert_eq!(output.status.code(), Some(1), "evenkeel {arguments}");
    String::from_utf8(output.stderr).expect("messages are text")
}

/// The status object.
#[track_caller]
pub(crate) fn status(server: &Server) -> Value {
    serde_json::from_str(&run(server, "status --json")).expect("the status is JSON")
}

/// The last octets of the addresses in one answer for `core.lb.example`.
pub(crate) fn answered(server: &Server) -> BTreeSet<u8> {
    ipv4_addresses(&server.client().ask("core.lb.example", 1)).iter().map(|address| address.octets()[3]).collect()
}

/// The verdicts by file name, from the output of `evenkeel scan --json`.
pub(crate) fn verdicts(json: &str) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let result: Value = serde_json::from_str(line).expect("the text is JSON");
        let text = |key: &str| result[key].as_str().expect("the member is text").to_owned();
        (text("path").rsplit('/').next().expect("a split text has a last part").to_owned(), text("verdict"))
    };
    json.lines().filter(|line| line.contains("\"path\"")).map(line).collect()
}
