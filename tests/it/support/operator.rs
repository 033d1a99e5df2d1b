//! Commands of an operator against a server, and what comes of them.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use serde_json::Value;

use super::packet::v4;
use super::server::{PROGRAM, Server, ZONE};

/// Nodes that nobody probes, with a socket and a state directory beside the configuration.
pub(crate) fn config(nodes: u8) -> String {
    let nodes: String =
        (1..=nodes).map(|i| format!("{{ name = \"core-{i}\", address = \"192.0.2.{i}\" }},\n")).collect();
    format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nstate_dir = \"state\"\n[admin]\nsocket = \"admin.sock\"\n\
         [zones.\"lb.example\"]\nfile = \"lb.zone\"\n[pools.core]\nnodes = [\n{nodes}]\n[names.\"core.lb.example\"]\n\
         pool = \"core\"\nttl = \"1s\"\n"
    )
}

/// Starts a server with this configuration and one zone.
pub(crate) fn start(config: &str) -> Server {
    Server::start_with(&[("evenkeel.toml", config), ("lb.zone", ZONE)])
}

/// Runs a command against a server's socket.
pub(crate) fn evenkeel(server: &Server, arguments: &str) -> Output {
    Command::new(PROGRAM)
        .args(arguments.split(' '))
        .env("EVENKEEL_SOCKET", server.directory().join("admin.sock"))
        .env("USER", "ops")
        .env_remove("SUDO_USER")
        .output()
        .expect("the built program starts")
}

/// What a command that is carried out says.
#[track_caller]
pub(crate) fn done(server: &Server, arguments: &str) -> String {
    let output = evenkeel(server, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

/// What a command that is refused says.
#[track_caller]
pub(crate) fn refused(server: &Server, arguments: &str) -> String {
    let output = evenkeel(server, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments}");
    String::from_utf8(output.stderr).expect("text")
}

/// What `status --json` says.
#[track_caller]
pub(crate) fn status(server: &Server) -> Value {
    serde_json::from_str(&done(server, "status --json")).expect("JSON")
}

/// Last octets of the addresses that are answered.
pub(crate) fn answered(server: &Server) -> BTreeSet<u8> {
    v4(&server.client().ask("core.lb.example", 1)).iter().map(|address| address.octets()[3]).collect()
}
