//! `scan` and the client library against the double of `tests/core_double`: each flow, and no wrong
//! verdict under attack.
//!
//! `attacks` breaks requests and responses, `changes` the files, `interrupts` the program itself.
//! `batches` closes batches, `hashes` looks results up and saves copies.

mod attacks;
mod batches;
mod changes;
mod hashes;
mod interrupts;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use evenkeel_client::{Cluster, Error, ScanOptions, Source, Verdict};
use serde_json::{Value, json};

use crate::support::cluster::Wait;
use crate::support::commands::verdicts;
use crate::support::core_double::CoreDouble;
use crate::support::fake_core_process::eicar;
use crate::support::program::{output_of, required};
use crate::support::repository;
use crate::support::server::PROGRAM;

/// The command that scans a file or a folder with JSON output.
fn command(double: &CoreDouble, path: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("scan").arg(path).args(["--cluster", &double.url(), "--json"]).args(options);
    command
}

/// The exit code of `evenkeel scan --json`, the verdicts by file name, and all lines.
fn scan(double: &CoreDouble, path: &Path, options: &[&str]) -> (Option<i32>, BTreeMap<String, String>, Vec<Value>) {
    let output = command(double, path, options).output().expect("the built program starts");
    let text = String::from_utf8(output.stdout).expect("the output is text");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    (output.status.code(), verdicts(&text), lines)
}

/// A folder with a clean and an infected file.
fn clean_and_infected() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("the test can create a directory");
    std::fs::write(folder.path().join("clean.txt"), "harmless").expect("the test can write its directory");
    std::fs::write(folder.path().join("virus.com"), eicar()).expect("the test can write its directory");
    folder
}

#[test]
fn options_reach_the_node_and_details_come_back() {
    let double = CoreDouble::start(&[]);
    let options =
        |options| Cluster::builder(&double.url()).scan_options(options).build().expect("the options are valid");
    let report = |cluster: &Cluster, name: &str, content: &[u8]| {
        let scan =
            cluster.scan(&mut Source::bytes(name, content.to_vec())).wait().expect("the double accepts the file");
        (scan.result().wait().expect("the double has the result"), scan)
    };
    let plain = options(ScanOptions::new());
    let (blocked, _) = report(&plain, "encrypted.zip", b"secret");
    assert!(matches!(blocked.verdict, Verdict::Blocked(reason) if reason.contains("ncrypted")));
    let with_password = options(ScanOptions::new().archive_password("wrong").archive_password("infected"));
    assert_eq!(report(&with_password, "encrypted.zip", b"secret").0.verdict, Verdict::Allowed);
    let tagged = options(ScanOptions::new().metadata(json!({ "ticket": "7 %" })));
    assert_eq!(report(&tagged, "a", b"tagged").0.json["metadata"], json!({ "ticket": "7 %" }));
    let (infected, _) = report(&plain, "virus.com", &eicar());
    assert_eq!(infected.result_code, Some(1));
    assert!(!infected.threats.is_empty(), "{}", infected.json);
    // The hash that the node reports finds the result again.
    assert_eq!(infected.hashes.sha256.len(), 64);
    let known = plain.lookup_hash(&infected.hashes.sha256).wait().expect("the double responds");
    assert_eq!(known.map(|(scan, _)| scan.data_id().to_owned()), Some(infected.data_id));
    assert!(plain.lookup_hash(&"0".repeat(64)).wait().expect("the double responds").is_none());
    for text in ["no hash", "ab", "", &"0".repeat(63), &"g".repeat(32)] {
        assert!(matches!(plain.lookup_hash(text).wait(), Err(Error::InvalidHash(_))), "{text}");
    }
    let (_, sanitized) = report(&plain, "a.doc", b"SANITIZE-SAMPLE");
    let mut file = sanitized.sanitized().wait().expect("the node has a sanitized file");
    let mut length = 0;
    while let Some(chunk) = file.chunk().wait().expect("the download works") {
        length += chunk.len();
    }
    assert!(length > 0);
    let (_, clean) = report(&plain, "b", b"nothing to sanitize");
    assert!(matches!(clean.sanitized().wait(), Err(Error::NotSanitized(_))));
}

#[test]
fn a_scan_can_be_cancelled_and_both_paths_cancel_a_batch() {
    for path in ["batch", "file"] {
        let double = CoreDouble::start(&["--batch-cancel", path]);
        let cluster = Cluster::new(&double.url()).expect("the URL is valid");
        let scan = cluster.scan(&mut Source::bytes("a", "SLOW-600")).wait().expect("the double accepts the file");
        scan.cancel().wait().expect("the double cancels the scan");
        let report = scan.result().wait().expect("the scan has ended");
        assert_eq!((report.result_code, report.verdict == Verdict::Allowed), (Some(19), false));
        let batch = cluster.open_batch().wait().expect("the double accepts the batch");
        batch.send(&mut Source::bytes("a", "SLOW-600")).wait().expect("the double accepts the file");
        batch.cancel().wait().expect("the double cancels the batch");
        assert_eq!(double.counter("cancelled"), 2, "{path}");
    }
}

/// Nodes may need a moment until they know a file that they have accepted.
#[test]
fn a_node_that_does_not_know_a_new_file_at_once_is_asked_again() {
    let double = CoreDouble::start(&["--visible-after", "1"]);
    let cluster = Cluster::new(&double.url()).expect("the URL is valid");
    let scan = cluster.scan(&mut Source::bytes("a", "harmless")).wait().expect("the double accepts the file");
    assert_eq!(scan.result().wait().expect("the double has the result").verdict, Verdict::Allowed);
}

/// Where the vendor's documents contradict each other or are silent, each side is accepted.
#[test]
fn the_verdicts_are_right_with_each_side_of_the_documents() {
    for switch in [
        &["--unknown-id", "404"][..],
        &["--close-refusal", "200"],
        &["--close-refusal", "409"],
        &["--close-refusal", "500"],
        &["--close-refusal", "503"],
        &["--progress-result", "so-far"],
        &["--display-name", "decoded"],
        &["--empty-batch", "list"],
        &["--cancelled-spelling", "Canceled"],
        &["--batch-cancel", "file"],
        &["--wrong-batch", "another-instance"],
        &["--refusals", "early"],
        &["--hash-rule", "ignored"],
        &["--visible-after", "1"],
        &["--x-core-id"],
    ] {
        // Long enough for the first request that closes the batch to be refused.
        let double = CoreDouble::start(&[switch, &["--scan-seconds", "0.4"]].concat());
        let folder = clean_and_infected();
        for mode in [&[][..], &["--batch"]] {
            let (code, verdicts, lines) = scan(&double, folder.path(), mode);
            assert_eq!(code, Some(2), "{switch:?} {mode:?}: {lines:?}");
            assert_eq!((verdicts["clean.txt"].as_str(), verdicts["virus.com"].as_str()), ("allowed", "blocked"));
        }
        assert_eq!(double.counter("cancelled"), 0, "{switch:?}");
    }
}

/// The tests of the double itself, against the facts of the vendor's documents.
#[test]
fn the_double_follows_the_documents() {
    let mut tests = Command::new(required("python3", "python3"));
    tests.args(["-m", "unittest", "discover", "-s", "tests/core_double"]).current_dir(repository::root());
    output_of(&mut tests);
}
