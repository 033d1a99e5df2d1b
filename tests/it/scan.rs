//! `evenkeel scan` as a user runs it: folders, batches, what is blocked, what is interrupted.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::client::{eicar, serve};
use crate::support::nodes::Nodes;
use crate::support::server::Server;
use crate::support::wait_until;

/// Three clean files, one of them in a folder below, and an infected one if it is wanted.
fn folder(is_infected: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory for the test");
    std::fs::create_dir(folder.path().join("below")).expect("a directory of ours");
    for name in ["a.txt", "b.txt", "below/c.txt"] {
        std::fs::write(folder.path().join(name), name).expect("a file for the test");
    }
    if is_infected {
        std::fs::write(folder.path().join("virus.com"), eicar()).expect("a file for the test");
    }
    folder
}

fn command(nodes: &Nodes, server: &Server, folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    command
        .arg("scan")
        .arg(folder)
        .args(["--cluster", &format!("core.lb.example:{}", nodes.port), "--server", &server.address().to_string()])
        .args(["--deadline", "3s"])
        .args(more);
    command
}

fn scan(nodes: &Nodes, server: &Server, folder: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        command(nodes, server, folder, more).output().expect("the built program starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

/// File names and verdicts.
fn verdicts(json: &str) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let done: Value = serde_json::from_str(line).expect("JSON");
        let text = |key: &str| done[key].as_str().expect("text").to_owned();
        (text("path").rsplit('/').next().expect("a name").to_owned(), text("verdict"))
    };
    json.lines().map(line).collect()
}

#[test]
fn folders_are_scanned_and_the_exit_code_tells_the_worst() {
    let nodes = Nodes::start(3);
    let server = serve(&nodes);
    let (code, table, said) = scan(&nodes, &server, folder(true).path(), &[]);
    assert_eq!((code, said.as_str()), (Some(2), ""), "nothing is drawn where no terminal is");
    assert!(table.contains("virus.com") && table.contains("\n3 allowed, 1 blocked, 0 failed\n"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(!table.contains('\u{1b}'), "no colours either");
    let (code, json, _) = scan(&nodes, &server, folder(true).path(), &["--json"]);
    assert_eq!(code, Some(2));
    let expected = [("a.txt", "allowed"), ("b.txt", "allowed"), ("c.txt", "allowed"), ("virus.com", "blocked")];
    assert_eq!(verdicts(&json), expected.map(|(name, verdict)| (name.to_owned(), verdict.to_owned())).into());
    assert_eq!(scan(&nodes, &server, folder(false).path(), &[]).0, Some(0));
    let (code, _, said) = scan(&nodes, &server, Path::new("/nonexistent"), &[]);
    assert!(code == Some(1) && said.contains("/nonexistent"), "{said}");
    assert_eq!(nodes.wrong(), 0);
}

#[test]
fn a_batch_has_one_node_and_a_verdict_on_each_file() {
    let nodes = Nodes::start(3);
    let server = serve(&nodes);
    let (code, json, said) = scan(&nodes, &server, folder(true).path(), &["--batch", "--json"]);
    assert_eq!(code, Some(2), "{said}");
    let verdicts = verdicts(&json);
    assert_eq!((verdicts["a.txt"].as_str(), verdicts["virus.com"].as_str()), ("allowed", "blocked"));
    let sessions: Vec<u64> = nodes.counters().iter().map(|counters| counters.sessions).collect();
    assert_eq!(sessions.iter().sum::<u64>(), 1, "{sessions:?}");
    assert_eq!(nodes.wrong(), 0);
}

#[test]
fn without_nodes_all_fail_and_the_reason_is_told() {
    let mut nodes = Nodes::start(1);
    let server = serve(&nodes);
    nodes.kill(0);
    let (code, table, _) = scan(&nodes, &server, folder(false).path(), &[]);
    assert_eq!(code, Some(1));
    assert!(table.contains("0 allowed, 0 blocked, 3 failed") && table.contains("can be reached"), "{table}");
}

#[test]
fn what_was_interrupted_goes_on_where_it_was() {
    let nodes = Nodes::start(2);
    let server = serve(&nodes);
    (0..2).for_each(|node| nodes.fake(node, r#"{"scan_ms": 60000}"#));
    let folder = folder(false);
    let journal = server.directory().join("journal");
    let more = ["--resume", journal.to_str().expect("a path of ours")];
    let mut first = command(&nodes, &server, folder.path(), &more).stdout(Stdio::null()).spawn().expect("it starts");
    wait_until("all are sent", || std::fs::read_to_string(&journal).is_ok_and(|text| text.lines().count() == 3));
    Command::new("/bin/sh").arg("-c").arg(format!("kill -INT {}", first.id())).status().expect("a signal");
    assert_eq!(first.wait().expect("a process of ours").code(), Some(1), "interrupted");
    // The scans that began are as long as they were; new ones would be short.
    (0..2).for_each(|node| nodes.fake(node, r#"{"scan_ms": 0}"#));
    let text = std::fs::read_to_string(&journal).expect("the journal");
    let a_line = text.lines().find(|line| line.contains("a.txt")).expect("a line of it");
    std::fs::write(&journal, text.replace(a_line, &a_line[..20])).expect("the journal");
    let more = ["--timeout", "1s", more[0], more[1]];
    let (code, table, _) = scan(&nodes, &server, folder.path(), &more);
    assert_eq!(code, Some(1));
    assert!(table.contains("1 allowed, 0 blocked, 2 failed") && table.contains("has no result after 1s"), "{table}");
    let (code, table, _) = scan(&nodes, &server, folder.path(), &more);
    assert_eq!(code, Some(1));
    assert!(table.contains("0 allowed, 0 blocked, 2 failed"), "what is done is not done again: {table}");
    let sessions: u64 = nodes.counters().iter().map(|counters| counters.sessions).sum();
    assert_eq!(sessions, 4, "only the file whose line was torn was sent again");
    assert_eq!(nodes.wrong(), 0);
}
