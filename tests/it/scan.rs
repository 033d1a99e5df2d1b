//! `evenkeel scan` as a user runs it: folders, batches, what is blocked, what is interrupted.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::support::fake_core::eicar;
use crate::support::nodes::Nodes;
use crate::support::program::output_of;
use crate::support::server::{PROGRAM, Server};
use crate::support::session::serve;
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
    let mut command = Command::new(PROGRAM);
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
    json.lines().filter(|line| line.contains("\"path\"")).map(line).collect()
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
    assert_eq!(nodes.wrong(), 0);
}

#[test]
fn a_batch_has_one_node_and_a_verdict_on_each_file() {
    let nodes = Nodes::start(3);
    let server = serve(&nodes);
    let (code, json, said) = scan(&nodes, &server, folder(true).path(), &["--batch", "--json"]);
    assert_eq!(code, Some(2), "{said}");
    let last: Value = serde_json::from_str(json.lines().last().expect("a line")).expect("JSON");
    assert_eq!((last["verdict"].as_str(), last["reason"].as_str()), (Some("blocked"), Some("Infected")), "{last}");
    let verdicts = verdicts(&json);
    assert_eq!((verdicts["a.txt"].as_str(), verdicts["virus.com"].as_str()), ("allowed", "blocked"));
    let sessions: Vec<u64> = nodes.counters().iter().map(|counters| counters.sessions).collect();
    assert_eq!(sessions.iter().sum::<u64>(), 1, "{sessions:?}");
    let signed = server.directory().join("signed");
    let more = ["--batch", "--signed-result", signed.to_str().expect("a path of ours")];
    let (code, table, _) = scan(&nodes, &server, folder(false).path(), &more);
    assert!(code == Some(0) && table.contains("\nbatch ") && table.ends_with(": allowed\n"), "{table}");
    assert!(std::fs::read_to_string(signed).expect("the signed result").contains("\nsignature: "));
    // Where it cannot be kept, the verdicts are known all the same.
    let (code, table, said) =
        scan(&nodes, &server, folder(true).path(), &["--batch", "--signed-result", "/nonexistent/signed"]);
    assert!(code == Some(2) && table.contains("3 allowed, 1 blocked, 0 failed"), "{table}");
    assert!(said.contains("/nonexistent/signed cannot be written"), "{said}");
    assert_eq!(nodes.wrong(), 0);
}

/// A file that was only sent is not allowed, and the node need not go on with it.
#[test]
fn an_interrupted_batch_is_given_up() {
    let nodes = Nodes::start(2);
    let server = serve(&nodes);
    (0..2).for_each(|node| nodes.fake(node, r#"{"scan_ms": 60000}"#));
    let folder = folder(true);
    let mut command = command(&nodes, &server, folder.path(), &["--batch", "--json"]);
    let child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let taken = || nodes.counters().iter().map(|counters| counters.uploads).sum::<u64>();
    wait_until("all are sent", || taken() == 4);
    interrupt(&child);
    let output = child.wait_with_output().expect("a process of ours");
    let json = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.status.code(), Some(1), "{json}");
    assert!(verdicts(&json).len() == 4 && verdicts(&json).values().all(|verdict| verdict == "failed"), "{json}");
    assert_eq!(nodes.counters().iter().map(|counters| counters.cancelled).sum::<u64>(), 1);
}

/// A verdict that has come is told, also when nobody had the time to take it before the interrupt.
#[test]
fn an_interrupt_takes_no_verdict_back() {
    let nodes = Nodes::start(2);
    let server = serve(&nodes);
    let folder = folder(true);
    let journal = server.directory().join("journal");
    let more = ["--json", "--resume", journal.to_str().expect("a path of ours")];
    // One of them goes on for longer.
    std::fs::write(folder.path().join("slow"), vec![0; 3_000_000]).expect("a file for the test");
    (0..2).for_each(|node| nodes.fake(node, r#"{"scan_ms": 0, "reset_after": 2000000}"#));
    let mut command = command(&nodes, &server, folder.path(), &more);
    let child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let noted = || std::fs::read_to_string(&journal).unwrap_or_default();
    wait_until("there is a verdict", || noted().contains("\"verdict\":\"blocked\""));
    interrupt(&child);
    let output = child.wait_with_output().expect("a process of ours");
    let json = String::from_utf8(output.stdout).expect("text");
    assert_eq!((verdicts(&json)["virus.com"].as_str(), output.status.code()), ("blocked", Some(2)), "{json}");
}

/// What can be scanned is; what cannot is told.
#[test]
fn what_is_missing_fails_by_itself() {
    let nodes = Nodes::start(2);
    let server = serve(&nodes);
    let folder = folder(false);
    let (code, json, _) = scan(&nodes, &server, folder.path(), &["--json", "/nonexistent", "/dev/null"]);
    assert_eq!(code, Some(1));
    let verdicts = verdicts(&json);
    let verdict = |name: &str| verdicts[name].as_str();
    assert_eq!((verdict("a.txt"), verdict("nonexistent"), verdict("null")), ("allowed", "failed", "failed"));
    // Results that nobody gets are no success.
    let mut full = command(&nodes, &server, folder.path(), &[]);
    let full = full.stdout(std::fs::File::create("/dev/full").expect("a device")).stderr(Stdio::piped());
    let output = full.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("standard output cannot be written"), "{said}");
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

fn interrupt(child: &Child) {
    output_of(Command::new("/bin/sh").arg("-c").arg(format!("kill -INT {}", child.id())));
}

#[test]
fn what_was_interrupted_goes_on_where_it_was() {
    let nodes = Nodes::start(2);
    let server = serve(&nodes);
    (0..2).for_each(|node| nodes.fake(node, r#"{"scan_ms": 60000}"#));
    let folder = folder(false);
    let journal = server.directory().join("journal");
    let more = ["--resume", journal.to_str().expect("a path of ours")];
    let first = command(&nodes, &server, folder.path(), &more).stdout(Stdio::null()).spawn();
    let mut first = first.expect("it starts");
    wait_until("all are sent", || std::fs::read_to_string(&journal).is_ok_and(|text| text.lines().count() == 3));
    interrupt(&first);
    assert_eq!(first.wait().expect("a process of ours").code(), Some(1), "interrupted");
    // The scans that began are as long as they were; new ones are short.
    (0..2).for_each(|node| nodes.fake(node, r#"{"scan_ms": 0}"#));
    let text = std::fs::read_to_string(&journal).expect("the journal");
    let mut lines: Vec<&str> = text.lines().collect();
    // One of them is torn, as if it had been the last.
    lines.sort_by_key(|line| line.contains("a.txt"));
    let torn = lines.join("\n");
    std::fs::write(&journal, &torn[..torn.len() - 20]).expect("the journal");
    let more = ["--timeout", "1s", more[0], more[1]];
    let (code, table, _) = scan(&nodes, &server, folder.path(), &more);
    assert_eq!(code, Some(1));
    assert!(table.contains("1 allowed, 0 blocked, 2 failed") && table.contains("has no result after 1s"), "{table}");
    let (code, table, _) = scan(&nodes, &server, folder.path(), &more);
    assert_eq!(code, Some(1));
    assert!(table.contains("1 allowed, 0 blocked, 2 failed"), "what is known is shown: {table}");
    let sessions = || nodes.counters().iter().map(|counters| counters.sessions).sum::<u64>();
    assert_eq!(sessions(), 4, "only the file whose line was torn was sent again");
    // What is at the place of a file that was scanned is another one.
    std::fs::write(folder.path().join("a.txt"), eicar()).expect("a file for the test");
    let (code, table, _) = scan(&nodes, &server, folder.path(), &more);
    assert!(code == Some(2) && table.contains("0 allowed, 1 blocked, 2 failed"), "{table}");
    let (code, table, _) = scan(&nodes, &server, folder.path(), &more);
    assert!(code == Some(2) && table.contains("0 allowed, 1 blocked, 2 failed"), "it stays blocked: {table}");
    assert_eq!((sessions(), nodes.wrong()), (5, 0));
}
