//! `scan` and the client library against the double of `tests/core_double`: each flow, and no wrong
//! verdict under attack.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use evenkeel_client::{Cluster, Error, ScanOptions, Source, Verdict};
use serde_json::{Value, json};

use crate::support::cluster::Wait;
use crate::support::commands::verdicts;
use crate::support::core_double::CoreDouble;
use crate::support::fake_core_process::eicar;
use crate::support::program::{output_of, required, signal};
use crate::support::repository;
use crate::support::server::PROGRAM;
use crate::support::wait_until;

/// The verdicts of `evenkeel scan --json`, by file name, and its exit code.
fn scan(double: &CoreDouble, folder: &Path, options: &[&str]) -> (Option<i32>, BTreeMap<String, String>, Vec<Value>) {
    let output = Command::new(PROGRAM)
        .arg("scan")
        .arg(folder)
        .args(["--cluster", &double.url(), "--json"])
        .args(options)
        .output()
        .expect("the built program starts");
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
fn a_batch_of_several_pages_has_the_right_verdict_for_each_file() {
    let double = CoreDouble::start(&[]);
    let folder = tempfile::tempdir().expect("the test can create a directory");
    let mut expected = BTreeMap::new();
    for i in 0..200 {
        let name = format!("{i:03}.bin");
        let is_infected = i % 50 == 7;
        let content = match i {
            _ if is_infected => eicar(),
            // The last page is slow, and so is a file on the first.
            3 | 190..200 => format!("SLOW-2 {i}").into_bytes(),
            _ => format!("harmless {i}").into_bytes(),
        };
        std::fs::write(folder.path().join(&name), content).expect("the test can write its directory");
        expected.insert(name, if is_infected { "blocked" } else { "allowed" }.to_owned());
    }
    for options in [&["--batch"][..], &["--batch", "--concurrency", "32"], &[]] {
        let (code, verdicts, _) = scan(&double, folder.path(), options);
        assert_eq!((code, &verdicts), (Some(2), &expected), "{options:?}");
    }
    assert_eq!(double.counter("cancelled"), 0);
}

#[test]
fn the_status_of_a_batch_lists_the_files_of_all_pages() {
    let double = CoreDouble::start(&[]);
    let cluster = Cluster::new(&double.url()).expect("the URL is valid");
    let batch = cluster.open_batch().wait().expect("the double accepts the batch");
    assert_eq!(batch.status().wait().expect("the double knows the batch").files, [], "an empty batch has no list");
    let sources = (0..120).map(|i| Source::bytes(format!("{i}"), format!("harmless {i}")));
    let sent: BTreeSet<String> =
        batch.send_all(sources, 8).wait().into_iter().map(|sent| sent.expect("the double accepts the file")).collect();
    assert_eq!(sent.len(), 120);
    let closed = batch.close().wait().expect("the double closes the batch");
    let results = closed.results().wait().expect("the double knows the batch");
    assert_eq!(results.files.iter().map(|file| file.data_id.clone()).collect::<BTreeSet<_>>(), sent);
    assert!(results.is_closed && results.verdict == Some(Verdict::Allowed), "{results:?}");
    assert!(closed.signed_result().wait().expect("the batch is closed").contains("certificate"));
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
    assert_eq!(known.map(|report| report.data_id), Some(infected.data_id));
    assert_eq!(plain.lookup_hash(&"0".repeat(64)).wait().expect("the double responds"), None);
    assert!(matches!(plain.lookup_hash("no hash").wait(), Err(Error::InvalidHash(_))));
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

/// For each attack on each request, an infected file is never allowed, and a clean file is allowed
/// or failed. Attacks end after three requests, so most scans survive them.
#[test]
fn attacks_cause_no_wrong_verdict() {
    let double = CoreDouble::start(&[]);
    let folder = clean_and_infected();
    let mut survived = 0;
    let mut attacks = Vec::new();
    for point in ["headers", "body-half", "after-body", "mid-response"] {
        attacks.push(json!({ "reset": point }));
    }
    for malformed in ["truncated-json", "html", "wrong-types", "huge", "empty", "no-data-id"] {
        attacks.push(json!({ "malformed": malformed }));
    }
    attacks.push(json!({ "busy": true, "path": "/" }));
    attacks.push(json!({ "refuse": { "status": 500, "err": "Failed to request scan. Try again later." } }));
    attacks.push(json!({ "disk_full": true }));
    for attack in &attacks {
        for mode in [&[][..], &["--resubmit", "2"], &["--batch"], &["--batch", "--resubmit", "2"]] {
            let mut faults = attack.clone();
            faults["clear"] = json!(true);
            faults["count"] = json!(3);
            double.set_faults(&faults);
            let (code, verdicts, lines) = scan(&double, folder.path(), &[mode, &["--timeout", "20s"]].concat());
            double.set_faults(&json!({ "clear": true }));
            assert_eq!(verdicts.len(), 2, "{attack} {mode:?}: {lines:?}");
            assert_ne!(verdicts["virus.com"], "allowed", "{attack} {mode:?}: {lines:?}");
            assert_ne!(verdicts["clean.txt"], "blocked", "{attack} {mode:?}: {lines:?}");
            assert_ne!(code, Some(0), "{attack} {mode:?}");
            survived += u32::from(code == Some(2));
        }
    }
    assert!(survived > 15, "{survived} of {} scans survived", attacks.len() * 4);
}

#[test]
fn the_timeout_bounds_a_scan_whose_node_drips_or_stalls() {
    let double = CoreDouble::start(&[]);
    let folder = clean_and_infected();
    for faults in [json!({ "drip": true, "method": "GET" }), json!({ "stall": "mid-response", "method": "GET" })] {
        double.set_faults(&faults);
        let began = Instant::now();
        let (code, verdicts, _) = scan(&double, folder.path(), &["--timeout", "3s"]);
        assert!(began.elapsed() < Duration::from_secs(15), "{faults}: {:?}", began.elapsed());
        assert_eq!(code, Some(1), "{faults}");
        assert!(verdicts.values().all(|verdict| verdict == "failed"), "{verdicts:?}");
        double.set_faults(&json!({ "clear": true }));
    }
}

/// `cp -p`, `rsync -a` and `tar` keep size and modification time.
#[test]
fn a_file_that_replaces_another_of_the_same_size_and_time_is_scanned() {
    let double = CoreDouble::start(&[]);
    let folder = tempfile::tempdir().expect("the test can create a directory");
    let (file, journal) = (folder.path().join("a.bin"), folder.path().join("journal"));
    std::fs::write(&file, vec![b'x'; eicar().len()]).expect("the test can write its directory");
    let modified = std::fs::metadata(&file).and_then(|metadata| metadata.modified()).expect("the file exists");
    let options = ["--resume", journal.to_str().expect("the path is text")];
    let verdict = || scan(&double, &file, &options).1["a.bin"].clone();
    assert_eq!((verdict().as_str(), verdict().as_str(), double.counter("uploads")), ("allowed", "allowed", 1));
    // Written in place, and moved to its place.
    for replace in [true, false] {
        let other = if replace { folder.path().join("other") } else { file.clone() };
        let content = if replace { eicar() } else { vec![b'y'; eicar().len()] };
        std::fs::write(&other, content).expect("the test can write its directory");
        let opened = std::fs::File::options().write(true).open(&other).expect("the file exists");
        opened.set_modified(modified).expect("the time can be set");
        if replace {
            std::fs::rename(&other, &file).expect("the test can write its directory");
        }
        assert_eq!(verdict(), if replace { "blocked" } else { "allowed" });
    }
    assert_eq!(double.counter("uploads"), 3);
}

/// Each way to change a file after its upload has begun.
#[test]
fn a_file_that_changes_while_it_is_scanned_is_never_allowed() {
    let double = CoreDouble::start(&["--scan-seconds", "1"]);
    let changes: [fn(&Path); 4] = [
        |file| {
            let mut file = std::fs::File::options().append(true).open(file).expect("the file exists");
            std::io::Write::write_all(&mut file, b"more").expect("the test can write its directory");
        },
        |file| std::fs::write(file, eicar()).expect("the test can write its directory"),
        |file| {
            let other = file.with_extension("new");
            std::fs::write(&other, eicar()).expect("the test can write its directory");
            std::fs::rename(&other, file).expect("the test can write its directory");
        },
        |file| std::fs::remove_file(file).expect("the test can write its directory"),
    ];
    for options in [&[][..], &["--batch"]] {
        for (at, change) in changes.iter().enumerate() {
            let folder = tempfile::tempdir().expect("the test can create a directory");
            let file = folder.path().join("a.bin");
            std::fs::write(&file, vec![b'x'; eicar().len()]).expect("the test can write its directory");
            let uploads = double.counter("uploads");
            let (code, verdicts, lines) = std::thread::scope(|scope| {
                let scan = scope.spawn(|| scan(&double, &file, options));
                wait_until("the file is sent", || double.counter("uploads") > uploads);
                change(&file);
                scan.join().expect("the scan does not panic")
            });
            assert_eq!((code, verdicts["a.bin"].as_str()), (Some(1), "failed"), "{at} {options:?}: {lines:?}");
            assert!(lines[0]["reason"].as_str().is_some_and(|reason| reason.contains("changed")), "{lines:?}");
        }
    }
}

#[test]
fn an_interrupt_names_the_session_and_cancels_it() {
    let double = CoreDouble::start(&["--scan-seconds", "600"]);
    let folder = clean_and_infected();
    let mut command = Command::new(PROGRAM);
    command.arg("scan").arg(folder.path()).args(["--cluster", &double.url(), "--json"]);
    let child = command.stdout(Stdio::piped()).spawn().expect("the built program starts");
    wait_until("both files are sent", || double.counter("uploads") == 2);
    signal("INT", child.id());
    let output = child.wait_with_output().expect("the process was not waited for yet");
    let text = String::from_utf8(output.stdout).expect("the output is text");
    for line in text.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON")) {
        assert_eq!((line["verdict"].as_str(), line["reason"].as_str()), (Some("failed"), Some("interrupted")));
        assert_eq!(line["node"], double.address.as_str());
        assert!(line["data_id"].as_str().is_some_and(|id| id.len() == 32), "{line}");
    }
    assert_eq!((output.status.code(), double.counter("cancelled")), (Some(1), 2));
}

#[test]
fn an_interrupted_batch_is_continued_with_its_journal() {
    let double = CoreDouble::start(&[]);
    let folder = clean_and_infected();
    std::fs::write(folder.path().join("slow.txt"), "SLOW-600").expect("the test can write its directory");
    let journal = folder.path().with_extension("journal");
    let options = ["--batch", "--resume", journal.to_str().expect("the path is text")];
    let mut command = Command::new(PROGRAM);
    command.arg("scan").arg(folder.path()).args(["--cluster", &double.url(), "--json"]).args(options);
    let child = command.stdout(Stdio::piped()).spawn().expect("the built program starts");
    let recorded = || std::fs::read_to_string(&journal).map_or(0, |text| text.matches("in_batch").count());
    wait_until("all files are in the batch", || recorded() == 3);
    signal("INT", child.id());
    assert_eq!(child.wait_with_output().expect("the process was not waited for yet").status.code(), Some(1));
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
    std::fs::remove_file(&journal).expect("the journal exists");
}

/// One upload of a batch breaks, and the node lives.
#[test]
fn a_broken_upload_does_not_give_up_a_batch() {
    let double = CoreDouble::start(&[]);
    let folder = tempfile::tempdir().expect("the test can create a directory");
    for i in 0..60 {
        std::fs::write(folder.path().join(format!("{i}")), format!("harmless {i}")).expect("the test can write there");
    }
    double.set_faults(&json!({ "reset": "after-body", "path": "/file", "method": "POST", "count": 3 }));
    let (code, verdicts, lines) = scan(&double, folder.path(), &["--batch"]);
    assert_eq!((code, verdicts.values().filter(|verdict| *verdict == "allowed").count()), (Some(0), 60), "{lines:?}");
}

#[test]
fn known_hashes_are_not_sent_and_sanitized_copies_are_saved() {
    let double = CoreDouble::start(&[]);
    let folder = clean_and_infected();
    std::fs::write(folder.path().join("a.doc"), "SANITIZE-SAMPLE").expect("the test can write its directory");
    let copies = tempfile::tempdir().expect("the test can create a directory");
    let options = ["--hash-first", "--sanitized", copies.path().to_str().expect("the path is text")];
    for _ in 0..2 {
        let (code, verdicts, lines) = scan(&double, folder.path(), &options);
        assert_eq!((code, verdicts["virus.com"].as_str()), (Some(2), "blocked"));
        let copy = lines.iter().find_map(|line| line["sanitized"].as_str()).expect("one file has a sanitized copy");
        assert!(copy.ends_with("-a.doc") && std::fs::metadata(copy).is_ok_and(|copy| copy.len() > 0), "{copy}");
        assert_eq!(double.counter("uploads"), 3, "known files are not sent again");
    }
    std::fs::remove_dir_all(copies.path()).expect("the folder exists");
    assert_eq!(scan(&double, folder.path(), &options).1["a.doc"], "allowed", "the folder is created");
    // A folder that cannot be created is an error before anything is sent.
    let uploads = double.counter("uploads");
    let (code, verdicts, _) = scan(&double, folder.path(), &["--sanitized", "/dev/null/folder"]);
    assert_eq!((code, verdicts.len(), double.counter("uploads")), (Some(1), 0, uploads));
}

/// The tests of the double itself, against the facts of the vendor's documents.
#[test]
fn the_double_follows_the_documents() {
    let mut tests = Command::new(required("python3", "python3"));
    tests.args(["-m", "unittest", "discover", "-s", "tests/core_double"]).current_dir(repository::root());
    output_of(&mut tests);
}
