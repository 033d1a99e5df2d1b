//! `evenkeel scan` as users run it: folders, batches, blocked files, interrupts and `--resume`.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::cluster::start_server;
use crate::support::commands::verdicts;
use crate::support::fake_core_process::eicar;
use crate::support::nodes::Nodes;
use crate::support::program::signal;
use crate::support::server::{PROGRAM, Server};
use crate::support::wait_until;

/// A folder with three clean files, one of them in a subfolder. If `is_infected`, it also has an
/// infected file.
fn folder(is_infected: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("the test can create a directory");
    std::fs::create_dir(folder.path().join("below")).expect("the test can create a directory");
    for name in ["a.txt", "b.txt", "below/c.txt"] {
        std::fs::write(folder.path().join(name), name).expect("the test can write its directory");
    }
    if is_infected {
        std::fs::write(folder.path().join("virus.com"), eicar()).expect("the test can write its directory");
    }
    folder
}

/// The command that scans a folder.
fn command(nodes: &Nodes, server: &Server, folder: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .arg("scan")
        .arg(folder)
        .args(["--cluster", &format!("core.lb.example:{}", nodes.port), "--server", &server.address().to_string()])
        .args(options);
    command
}

/// Scans a folder; returns exit code, standard output and standard error.
fn scan(nodes: &Nodes, server: &Server, folder: &Path, options: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        command(nodes, server, folder, options).output().expect("the built program starts");
    let text = |bytes| String::from_utf8(bytes).expect("the output is text");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn a_folder_is_scanned_and_the_exit_code_is_that_of_the_worst_verdict() {
    let nodes = Nodes::start(3);
    let server = start_server(&nodes);
    let (code, table, messages) = scan(&nodes, &server, folder(true).path(), &[]);
    assert_eq!((code, messages.as_str()), (Some(2), ""), "there is no progress without a terminal");
    assert!(table.contains("virus.com") && table.contains("\n3 allowed, 1 blocked, 0 failed\n"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(!table.contains('\u{1b}'), "there are no colours without a terminal");
    let (code, json, _) = scan(&nodes, &server, folder(true).path(), &["--json"]);
    assert_eq!(code, Some(2));
    let expected = [("a.txt", "allowed"), ("b.txt", "allowed"), ("c.txt", "allowed"), ("virus.com", "blocked")];
    assert_eq!(verdicts(&json), expected.map(|(name, verdict)| (name.to_owned(), verdict.to_owned())).into());
    assert_eq!(scan(&nodes, &server, folder(false).path(), &[]).0, Some(0));
    assert_eq!(nodes.requests_at_wrong_node(), 0);
}

#[test]
fn a_batch_has_one_node_and_one_verdict_per_file() {
    let nodes = Nodes::start(3);
    let server = start_server(&nodes);
    let (code, json, messages) = scan(&nodes, &server, folder(true).path(), &["--batch", "--json"]);
    assert_eq!(code, Some(2), "{messages}");
    let last: Value =
        serde_json::from_str(json.lines().last().expect("the output has a line")).expect("the text is JSON");
    assert_eq!((last["verdict"].as_str(), last["reason"].as_str()), (Some("blocked"), Some("Infected")), "{last}");
    let verdicts = verdicts(&json);
    assert_eq!((verdicts["a.txt"].as_str(), verdicts["virus.com"].as_str()), ("allowed", "blocked"));
    let sessions: Vec<u64> = nodes.counters().iter().map(|counters| counters.sessions).collect();
    assert_eq!(sessions.iter().sum::<u64>(), 1, "{sessions:?}");
    let signed = server.directory().join("signed");
    let options = ["--batch", "--signed-result", signed.to_str().expect("the path is text")];
    let (code, table, _) = scan(&nodes, &server, folder(false).path(), &options);
    assert!(code == Some(0) && table.contains("\nbatch ") && table.ends_with(": allowed\n"), "{table}");
    assert!(std::fs::read_to_string(signed).expect("the signed result is stored").contains("\nsignature: "));
    // If the signed result cannot be written, the verdicts are still shown.
    let (code, table, messages) =
        scan(&nodes, &server, folder(true).path(), &["--batch", "--signed-result", "/nonexistent/signed"]);
    assert!(code == Some(2) && table.contains("3 allowed, 1 blocked, 0 failed"), "{table}");
    assert!(messages.contains("/nonexistent/signed cannot be written"), "{messages}");
    assert_eq!(nodes.requests_at_wrong_node(), 0);
}

/// A file without a verdict counts as failed, and the node can stop scanning it.
#[test]
fn an_interrupted_batch_is_cancelled() {
    let nodes = Nodes::start(2);
    let server = start_server(&nodes);
    (0..2).for_each(|node| nodes.set_faults(node, r#"{"scan_ms": 60000}"#));
    let folder = folder(true);
    let mut command = command(&nodes, &server, folder.path(), &["--batch", "--json"]);
    let child = command.stdout(Stdio::piped()).spawn().expect("the built program starts");
    let uploads = || nodes.counters().iter().map(|counters| counters.uploads).sum::<u64>();
    wait_until("all files are sent", || uploads() == 4);
    signal("INT", child.id());
    let output = child.wait_with_output().expect("the process was not waited for yet");
    let json = String::from_utf8(output.stdout).expect("the output is text");
    assert_eq!(output.status.code(), Some(1), "{json}");
    assert!(verdicts(&json).len() == 4 && verdicts(&json).values().all(|verdict| verdict == "failed"), "{json}");
    assert_eq!(nodes.counters().iter().map(|counters| counters.cancelled).sum::<u64>(), 1);
}

/// A verdict that arrived before the interrupt is shown, even if it was not read before.
#[test]
fn an_interrupt_keeps_verdicts_that_have_arrived() {
    let nodes = Nodes::start(2);
    let server = start_server(&nodes);
    let folder = folder(true);
    let journal = server.directory().join("journal");
    let options = ["--json", "--resume", journal.to_str().expect("the path is text")];
    // The scan of one more file takes longer.
    std::fs::write(folder.path().join("slow"), vec![0; 3_000_000]).expect("the test can write its directory");
    (0..2).for_each(|node| nodes.set_faults(node, r#"{"scan_ms": 0, "reset_after": 2000000}"#));
    let mut command = command(&nodes, &server, folder.path(), &options);
    let child = command.stdout(Stdio::piped()).spawn().expect("the built program starts");
    let stored = || std::fs::read_to_string(&journal).unwrap_or_default();
    wait_until("the first verdict is stored", || stored().contains("\"verdict\":\"blocked\""));
    signal("INT", child.id());
    let output = child.wait_with_output().expect("the process was not waited for yet");
    let json = String::from_utf8(output.stdout).expect("the output is text");
    assert_eq!((verdicts(&json)["virus.com"].as_str(), output.status.code()), ("blocked", Some(2)), "{json}");
}

/// The other files are scanned.
#[test]
fn files_that_cannot_be_read_fail_alone() {
    let nodes = Nodes::start(2);
    let server = start_server(&nodes);
    let folder = folder(false);
    let (code, json, _) = scan(&nodes, &server, folder.path(), &["--json", "/nonexistent", "/dev/null"]);
    assert_eq!(code, Some(1));
    let verdicts = verdicts(&json);
    let verdict = |name: &str| verdicts[name].as_str();
    assert_eq!((verdict("a.txt"), verdict("nonexistent"), verdict("null")), ("allowed", "failed", "failed"));
    // Results that cannot be written are no success.
    let mut full = command(&nodes, &server, folder.path(), &[]);
    let full =
        full.stdout(std::fs::File::create("/dev/full").expect("the system has /dev/full")).stderr(Stdio::piped());
    let output = full.output().expect("the built program starts");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && message.contains("standard output cannot be written"), "{message}");
}

#[test]
fn without_nodes_all_files_fail_with_the_reason() {
    let mut nodes = Nodes::start(1);
    let server = start_server(&nodes);
    nodes.stop(0);
    let (code, table, _) = scan(&nodes, &server, folder(false).path(), &["--deadline", "3s"]);
    assert_eq!(code, Some(1));
    assert!(table.contains("0 allowed, 0 blocked, 3 failed") && table.contains("can be reached"), "{table}");
}

/// Mistakes on the command line are errors before anything is sent.
#[test]
fn values_that_cannot_work_are_refused() {
    let nodes = Nodes::start(1);
    let server = start_server(&nodes);
    let folder = folder(false);
    for (options, code, message) in [
        (&["--timeout", "0s"][..], 64, "accepted: a duration above zero"),
        (&["--server", "127.0.0.1:0"], 64, "accepted: an address"),
        (&["--apikey-file", "/dev/null"], 1, "/dev/null contains no API key"),
    ] {
        let (exit, _, messages) = scan(&nodes, &server, folder.path(), options);
        assert!(exit == Some(code) && messages.contains(message), "{options:?}: {messages}");
    }
    let mut no_port = Command::new(PROGRAM);
    let output = no_port.args(["scan", "a", "--cluster", "core.lb.example:0"]).output();
    let output = output.expect("the built program starts");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(64) && message.contains("port 0"), "{message}");
    assert_eq!(nodes.counters()[0].uploads, 0);
}

/// The node is gone for longer than the client waits, and returns before the batch is closed.
#[test]
fn a_batch_is_sent_again_if_its_node_was_gone_while_files_were_sent() {
    let nodes = Nodes::start(2);
    let server = start_server(&nodes);
    let folder = tempfile::tempdir().expect("the test can create a directory");
    for i in 0..200 {
        std::fs::write(folder.path().join(format!("{i}.txt")), format!("{i}")).expect("the test can write there");
    }
    (0..2).for_each(|node| nodes.set_faults(node, r#"{"scan_ms": 0, "slow_ms": 40}"#));
    let mut command = command(&nodes, &server, folder.path(), &["--batch", "--json", "--resubmit", "2"]);
    let child = command.stdout(Stdio::piped()).spawn().expect("the built program starts");
    let uploads = |node: usize| nodes.counters()[node].uploads;
    wait_until("some files are sent", || uploads(0) + uploads(1) > 20);
    let node = u8::from(uploads(1) > 0);
    nodes.set_faults(node, r#"{"outage": {"ms": 13000}}"#);
    let output = child.wait_with_output().expect("the process was not waited for yet");
    let json = String::from_utf8(output.stdout).expect("the output is text");
    assert_eq!(output.status.code(), Some(0), "{json}");
    assert_eq!(verdicts(&json).values().filter(|verdict| *verdict == "allowed").count(), 200);
}

#[test]
fn resume_continues_an_interrupted_scan() {
    let nodes = Nodes::start(2);
    let server = start_server(&nodes);
    (0..2).for_each(|node| nodes.set_faults(node, r#"{"scan_ms": 60000}"#));
    let folder = folder(false);
    let journal = server.directory().join("journal");
    let options = ["--resume", journal.to_str().expect("the path is text")];
    let first = command(&nodes, &server, folder.path(), &options).stdout(Stdio::null()).spawn();
    let mut first = first.expect("the built program starts");
    wait_until("all files are sent", || std::fs::read_to_string(&journal).is_ok_and(|text| text.lines().count() == 3));
    signal("INT", first.id());
    assert_eq!(first.wait().expect("the process was not waited for yet").code(), Some(1), "the scan was interrupted");
    // Scans that have begun keep their duration; new ones are short.
    (0..2).for_each(|node| nodes.set_faults(node, r#"{"scan_ms": 0}"#));
    let text = std::fs::read_to_string(&journal).expect("the journal can be read");
    let mut lines: Vec<&str> = text.lines().collect();
    // One line is torn, as if the process had been killed while it wrote the line.
    lines.sort_by_key(|line| line.contains("a.txt"));
    let torn = lines.join("\n");
    std::fs::write(&journal, &torn[..torn.len() - 20]).expect("the journal can be read");
    let options = ["--timeout", "1s", options[0], options[1]];
    let (code, table, _) = scan(&nodes, &server, folder.path(), &options);
    assert_eq!(code, Some(1));
    assert!(table.contains("1 allowed, 0 blocked, 2 failed") && table.contains("has no result after 1s"), "{table}");
    let (code, table, _) = scan(&nodes, &server, folder.path(), &options);
    assert_eq!(code, Some(1));
    assert!(table.contains("1 allowed, 0 blocked, 2 failed"), "known verdicts are shown: {table}");
    let sessions = || nodes.counters().iter().map(|counters| counters.sessions).sum::<u64>();
    assert_eq!(sessions(), 4, "only the file whose line was torn was sent again");
    // The content of a scanned file changes.
    std::fs::write(folder.path().join("a.txt"), eicar()).expect("the test can write its directory");
    let (code, table, _) = scan(&nodes, &server, folder.path(), &options);
    assert!(code == Some(2) && table.contains("0 allowed, 1 blocked, 2 failed"), "{table}");
    let (code, table, _) = scan(&nodes, &server, folder.path(), &options);
    assert!(code == Some(2) && table.contains("0 allowed, 1 blocked, 2 failed"), "the file stays blocked: {table}");
    assert_eq!((sessions(), nodes.requests_at_wrong_node()), (5, 0));
}
