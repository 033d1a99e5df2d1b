//! Ctrl-C, `--timeout`, output that cannot be written, and the journal of `--resume`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use evenkeel_client::{Cluster, ResumedSession, Ticket};
use serde_json::{Value, json};

use super::{clean_and_infected, command, scan};
use crate::support::cluster::Wait;
use crate::support::core_double::CoreDouble;
use crate::support::program::signal;
use crate::support::wait_until;

/// A lock that only tries.
const LOCK: nix::fcntl::FlockArg = nix::fcntl::FlockArg::LockSharedNonblock;

/// A clean, an infected and a slow file, and the path of a journal beside their folder.
fn with_slow_file() -> (tempfile::TempDir, tempfile::TempDir, PathBuf) {
    let (folder, beside) = (clean_and_infected(), tempfile::tempdir().expect("the test can create a directory"));
    std::fs::write(folder.path().join("slow.txt"), "SLOW-600").expect("the test can write its directory");
    let journal = beside.path().join("journal");
    (folder, beside, journal)
}

/// The number of lines of a journal that contain a text.
fn lines_with(journal: &Path, text: &str) -> usize {
    std::fs::read_to_string(journal).map_or(0, |lines| lines.lines().filter(|line| line.contains(text)).count())
}

/// Interrupts a scan; returns its exit code and its output.
fn interrupt(child: Child) -> (Option<i32>, String) {
    signal("INT", child.id());
    let output = child.wait_with_output().expect("the process was not waited for yet");
    (output.status.code(), String::from_utf8(output.stdout).expect("the output is text"))
}

#[test]
fn an_interrupt_names_the_session_and_cancels_it() {
    let double = CoreDouble::start(&["--scan-seconds", "600"]);
    let folder = clean_and_infected();
    let child = command(&double, folder.path(), &[]).stdout(Stdio::piped()).spawn().expect("the built program starts");
    wait_until("both files are sent", || double.counter("uploads") == 2);
    let (code, text) = interrupt(child);
    assert_eq!(text.lines().count(), 2, "{text}");
    for line in text.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON")) {
        assert_eq!((line["verdict"].as_str(), line["reason"].as_str()), (Some("failed"), Some("interrupted")));
        assert_eq!(line["node"], double.address.as_str());
        assert!(line["data_id"].as_str().is_some_and(|id| id.len() == 32), "{line}");
    }
    assert_eq!((code, double.counter("cancelled")), (Some(1), 2));
}

/// An upload that has begun has taken time, too.
#[test]
fn an_interrupted_upload_has_a_duration() {
    let double = CoreDouble::start(&[]);
    let folder = clean_and_infected();
    for mode in [&[][..], &["--batch"]] {
        double.set_faults(&json!({ "stall": "body-half", "path": "/file", "method": "POST" }));
        // The path `/file/batch` begins with `/file`, too, so the batch waits while it is opened.
        let requests = double.counter("requests");
        let command = &mut command(&double, folder.path(), mode);
        let child = command.stdout(Stdio::piped()).spawn().expect("the built program starts");
        wait_until("a request begins", || double.counter("requests") > requests);
        let (code, text) = interrupt(child);
        double.set_faults(&json!({ "clear": true }));
        assert_eq!((code, text.lines().count()), (Some(1), 2), "{text}");
        for line in text.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON")) {
            assert!(line["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{mode:?}: {line}");
        }
    }
}

/// A journal can be so long that Ctrl-C arrives while it is read.
#[test]
fn an_interrupt_while_the_journal_is_read_is_not_lost() {
    let double = CoreDouble::start(&["--scan-seconds", "600"]);
    let (folder, _beside, journal) = with_slow_file();
    let line = json!({ "cluster": "http://other:8008", "path": "/a".repeat(200), "failed": "x".repeat(400) });
    let mut file = std::fs::File::create(&journal).expect("the test can write its directory");
    let text = format!("{line}\n").repeat(40_000);
    file.write_all(text.as_bytes()).expect("the test can write its directory");
    let options = ["--resume", journal.to_str().expect("the path is text"), "--timeout", "30s"];
    let command = &mut command(&double, folder.path(), &options);
    let child = command.stdout(Stdio::piped()).spawn().expect("the built program starts");
    // The program locks the journal, and then reads it.
    let is_locked = || nix::fcntl::Flock::lock(file.try_clone().expect("the file is open"), LOCK).is_err();
    wait_until("the journal is read", is_locked);
    let (code, text) = interrupt(child);
    assert_eq!((code, text.matches("interrupted").count()), (Some(1), 3), "{text}");
}

#[test]
fn a_batch_with_a_replaced_file_is_sent_again() {
    let double = CoreDouble::start(&[]);
    let (folder, _beside, journal) = with_slow_file();
    let options = ["--batch", "--resume", journal.to_str().expect("the path is text")];
    let child =
        command(&double, folder.path(), &options).stdout(Stdio::piped()).spawn().expect("the built program starts");
    wait_until("all files are in the batch", || lines_with(&journal, "in_batch") == 3);
    assert_eq!(interrupt(child).0, Some(1));
    assert_eq!(double.counter("cancelled"), 0, "the next run continues the batch");
    // The slow file is replaced, so its batch cannot be used: all files are sent into another.
    std::fs::write(folder.path().join("slow.txt"), "SLOW-1").expect("the test can write its directory");
    let (code, verdicts, _) = scan(&double, folder.path(), &options);
    assert_eq!((code, verdicts["slow.txt"].as_str(), verdicts["virus.com"].as_str()), (Some(2), "allowed", "blocked"));
    assert_eq!(double.counter("uploads"), 6);
    // The closed batch is read again.
    let (code, verdicts, _) = scan(&double, folder.path(), &options);
    assert_eq!((code, verdicts["clean.txt"].as_str()), (Some(2), "allowed"));
    assert_eq!(double.counter("uploads"), 6, "nothing was sent again");
}

/// However often a run is killed, the next one continues the batch.
#[test]
fn an_interrupted_batch_is_continued_without_sending_files_again() {
    let double = CoreDouble::start(&["--scan-seconds", "600"]);
    let (folder, _beside, journal) = with_slow_file();
    let options = ["--batch", "--resume", journal.to_str().expect("the path is text"), "--concurrency", "1"];
    for _ in 0..3 {
        let command = &mut command(&double, folder.path(), &options);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the built program starts");
        wait_until("all files are in the batch", || lines_with(&journal, "in_batch") == 3);
        let requests = double.counter("requests");
        wait_until("the batch is watched", || double.counter("requests") > requests + 1);
        child.kill().expect("the process runs");
        child.wait().expect("the process was not waited for yet");
    }
    assert_eq!((double.counter("uploads"), lines_with(&journal, "\"batch\"")), (3, 1), "one batch was opened");
    assert_eq!(lines_with(&journal, "in_batch"), 3);
}

/// A slow scan stays in the journal, and the next run finds its result.
#[test]
fn a_timeout_ends_scans_unless_a_journal_remembers_them() {
    for mode in [&[][..], &["--batch"]] {
        let double = CoreDouble::start(&["--scan-seconds", "4"]);
        let (folder, beside) = (clean_and_infected(), tempfile::tempdir().expect("the test can create a directory"));
        let journal = beside.path().join("journal");
        let run = |more: &[&str]| scan(&double, folder.path(), &[mode, more].concat());
        let (code, verdicts, lines) = run(&["--timeout", "1s"]);
        assert_eq!((code, verdicts["clean.txt"].as_str()), (Some(1), "failed"), "{lines:?}");
        assert_eq!(double.counter("cancelled"), 2, "the node need not go on");
        let journal = ["--resume", journal.to_str().expect("the path is text")];
        assert_eq!(run(&[&journal[..], &["--timeout", "1s"]].concat()).0, Some(1));
        let (code, verdicts, lines) = run(&journal);
        assert_eq!((code, verdicts["clean.txt"].as_str()), (Some(2), "allowed"), "{lines:?}");
        assert_eq!((double.counter("uploads"), double.counter("cancelled")), (4, 2), "{mode:?}");
    }
}

/// A batch that was cancelled has no verdicts on its files.
#[test]
fn a_cancelled_batch_is_not_continued() {
    let double = CoreDouble::start(&["--scan-seconds", "3"]);
    let (folder, beside) = (clean_and_infected(), tempfile::tempdir().expect("the test can create a directory"));
    let journal = beside.path().join("journal");
    let options = ["--batch", "--resume", journal.to_str().expect("the path is text")];
    assert_eq!(scan(&double, folder.path(), &[&options[..], &["--timeout", "1s"]].concat()).0, Some(1));
    // Another program cancels it.
    let text = std::fs::read_to_string(&journal).expect("the journal exists");
    let line: Value = serde_json::from_str(text.lines().next().expect("the journal has a line")).expect("it is JSON");
    let ticket: Ticket = line["batch"].as_str().expect("a batch was opened").parse().expect("the ticket is valid");
    let cluster = Cluster::new(&double.url()).expect("the URL is valid");
    let Ok(ResumedSession::OpenBatch(batch)) = cluster.resume(&ticket) else { panic!("the ticket is of a batch") };
    batch.cancel().wait().expect("the double cancels the batch");
    let (code, verdicts, lines) = scan(&double, folder.path(), &options);
    assert_eq!(
        (code, verdicts["clean.txt"].as_str(), verdicts["virus.com"].as_str()),
        (Some(2), "allowed", "blocked"),
        "{lines:?}"
    );
    // This program cancels it: the node refuses to close it.
    std::fs::write(folder.path().join("clean.txt"), "another").expect("the test can write its directory");
    let refusal = json!({ "status": 403, "err": "Access denied" });
    double.set_faults(&json!({ "refuse": refusal, "path": "/file/batch/", "method": "POST", "count": 1 }));
    assert_eq!(scan(&double, folder.path(), &options).0, Some(1));
    assert_eq!(lines_with(&journal, "batch_cancelled"), 1);
    let (code, verdicts, lines) = scan(&double, folder.path(), &options);
    assert_eq!((code, verdicts["clean.txt"].as_str()), (Some(2), "allowed"), "{lines:?}");
}

/// Another rule, other passwords or a folder for copies can lead to another result.
#[test]
fn verdicts_that_were_recorded_with_other_options_do_not_count() {
    let double = CoreDouble::start(&[]);
    let (folder, beside) = (clean_and_infected(), tempfile::tempdir().expect("the test can create a directory"));
    let journal = beside.path().join("journal");
    for mode in [&[][..], &["--batch"]] {
        let resumed = [mode, &["--resume", journal.to_str().expect("the path is text")]].concat();
        let verdict =
            |more: &[&str]| scan(&double, folder.path(), &[&resumed[..], more].concat()).1["clean.txt"].clone();
        let uploads = double.counter("uploads");
        assert_eq!((verdict(&[]).as_str(), verdict(&[]).as_str()), ("allowed", "allowed"));
        assert_eq!(double.counter("uploads"), uploads + 2, "the second run sends nothing");
        assert_eq!(verdict(&["--rule", "File scan"]), "allowed");
        assert_eq!(double.counter("uploads"), uploads + 4);
        assert_eq!(verdict(&["--rule", "missing"]), "failed");
        std::fs::remove_file(&journal).expect("the journal exists");
    }
}

/// `scan | head -1`: nothing reads the results, so the scans that are still running are not needed.
#[test]
fn scans_end_when_nothing_reads_their_results() {
    let double = CoreDouble::start(&["--scan-seconds", "1"]);
    let (folder, ..) = with_slow_file();
    let mut child =
        command(&double, folder.path(), &[]).stdout(Stdio::piped()).spawn().expect("the built program starts");
    drop(child.stdout.take());
    child.wait().expect("the process was not waited for yet");
    assert!(double.counter("cancelled") >= 1, "the slow scan was cancelled");
}

/// A verdict counts even if it cannot be shown.
#[test]
fn results_that_cannot_be_written_hide_no_blocked_file() {
    let double = CoreDouble::start(&[]);
    let (folder, ..) = with_slow_file();
    for mode in [&["--timeout", "2s"][..], &["--timeout", "2s", "--batch"]] {
        let mut command = command(&double, folder.path(), mode);
        if mode.contains(&"--batch") {
            std::fs::remove_file(folder.path().join("slow.txt")).expect("the file exists");
        }
        let full = std::fs::File::create("/dev/full").expect("the system has /dev/full");
        let output = command.stdout(full).stderr(Stdio::piped()).output().expect("the built program starts");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{mode:?}: {message}");
        assert!(message.contains("standard output cannot be written"), "{message}");
    }
}
