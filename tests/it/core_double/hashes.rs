//! Results that are looked up by hash, and sanitized copies.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{clean_and_infected, scan};
use crate::support::canned_node;
use crate::support::core_double::CoreDouble;
use crate::support::program::signal;
use crate::support::server::PROGRAM;
use crate::support::wait_until;

/// A folder with a file that the double sanitizes.
fn with_document() -> tempfile::TempDir {
    let folder = clean_and_infected();
    std::fs::write(folder.path().join("a.doc"), "SANITIZE-SAMPLE").expect("the test can write its directory");
    folder
}

/// The report about an allowed file with a sanitized copy.
fn sanitized_report() -> Value {
    json!({
        "data_id": "3f2a",
        "process_info": {
            "progress_percentage": 100,
            "result": "Allowed",
            "post_processing": { "actions_ran": "Sanitized" },
        },
        "scan_results": { "progress_percentage": 100, "scan_all_result_a": "No Threat Detected" },
    })
}

/// The number of files in a folder.
fn files_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).expect("the folder exists").count()
}

#[test]
fn known_hashes_are_not_sent_and_sanitized_copies_are_saved() {
    let double = CoreDouble::start(&[]);
    let folder = with_document();
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

/// Another rule can come to another verdict. Some nodes ignore the rule of a lookup.
#[test]
fn a_result_under_another_rule_does_not_count() {
    for side in ["applies", "ignored"] {
        let double = CoreDouble::start(&["--hash-rule", side]);
        let folder = tempfile::tempdir().expect("the test can create a directory");
        std::fs::write(folder.path().join("clean.txt"), "harmless").expect("the test can write its directory");
        let verdict = |options: &[&str]| scan(&double, folder.path(), options).1["clean.txt"].clone();
        assert_eq!(verdict(&["--rule", "File process"]), "allowed");
        assert_eq!(verdict(&["--rule", "File process", "--hash-first"]), "allowed");
        assert_eq!(double.counter("uploads"), 1, "a result under the same rule counts");
        assert_eq!(verdict(&["--rule", "missing", "--hash-first"]), "failed");
        assert_eq!(verdict(&["--rule", "File scan", "--hash-first"]), "allowed");
        assert_eq!(double.counter("uploads"), 2, "the file was scanned under the other rule");
    }
}

/// A known result was made without them.
#[test]
fn options_that_a_known_result_ignores_conflict_with_lookups() {
    let double = CoreDouble::start(&[]);
    let folder = clean_and_infected();
    for option in [["--metadata", "{}"], ["--callback-url", "http://192.0.2.1/"], ["--archive-passwords", "file"]] {
        let (code, ..) = scan(&double, folder.path(), &["--hash-first", option[0], option[1]]);
        assert_eq!((code, double.counter("requests")), (Some(64), 0), "{option:?}");
    }
}

/// The copy of an allowed file must not be lost without a word.
#[test]
fn a_sanitized_copy_that_the_node_reports_and_does_not_have_is_an_error() {
    let double = CoreDouble::start(&[]);
    let (folder, copies) = (with_document(), tempfile::tempdir().expect("the test can create a directory"));
    let options = ["--sanitized", copies.path().to_str().expect("the path is text")];
    for status in [404, 500] {
        double.set_faults(&json!({ "refuse": { "status": status, "err": "Not found" }, "path": "/file/converted" }));
        let (code, verdicts, lines) = scan(&double, folder.path(), &options);
        let verdict = |name: &str| verdicts[name].as_str();
        assert_eq!((code, verdict("a.doc")), (Some(2), "failed"), "{lines:?}");
        // Without a copy, a blocked file stays blocked.
        assert_eq!(verdict("virus.com"), "blocked");
        assert_eq!(verdict("clean.txt") == "allowed", status == 404, "{lines:?}");
    }
    assert_eq!(files_in(copies.path()), 0);
}

#[test]
fn an_interrupted_download_leaves_no_part_of_a_copy() {
    let address = canned_node::start(|request| match request.split(' ').nth(1).expect("the request has a path") {
        "/file" => canned_node::response(200, "", r#"{"data_id":"3f2a"}"#),
        "/file/3f2a" => canned_node::response(200, "", &sanitized_report().to_string()),
        // The rest does not arrive.
        _ => b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\na copy".to_vec(),
    });
    let (folder, copies) = (with_document(), tempfile::tempdir().expect("the test can create a directory"));
    let mut scan = Command::new(PROGRAM);
    scan.arg("scan").arg(folder.path().join("a.doc")).args(["--cluster", &address.to_string()]);
    scan.arg("--sanitized").arg(copies.path()).stdout(Stdio::null());
    let mut child = scan.spawn().expect("the built program starts");
    wait_until("the download begins", || files_in(copies.path()) == 1);
    signal("INT", child.id());
    assert_eq!(child.wait().expect("the process was not waited for yet").code(), Some(1));
    assert_eq!(files_in(copies.path()), 0);
}

/// Behind a balancer, a request without the cookie of its session reaches any node.
#[test]
fn a_sanitized_copy_is_fetched_with_the_cookie_of_its_session() {
    let address = canned_node::start(|request| {
        let has_cookie = request.to_lowercase().contains("\r\ncookie: srv=one\r\n");
        match request.split(' ').nth(1).expect("the request has a path") {
            "/file" => canned_node::response(200, "Set-Cookie: SRV=one\r\n", r#"{"data_id":"3f2a"}"#),
            _ if !has_cookie => canned_node::response(404, "", r#"{"3f2a":"Not Found"}"#),
            "/file/3f2a" => canned_node::response(200, "", &sanitized_report().to_string()),
            "/file/converted/3f2a" => canned_node::response(200, "", "a copy"),
            path => panic!("unexpected request: {path}"),
        }
    });
    let folder = tempfile::tempdir().expect("the test can create a directory");
    let (file, copies) = (folder.path().join("a.doc"), folder.path().join("copies"));
    std::fs::write(&file, "harmless").expect("the test can write its directory");
    let mut scan = Command::new(PROGRAM);
    scan.arg("scan").arg(&file).args(["--cluster", &address.to_string(), "--cookie", "--sanitized"]).arg(&copies);
    assert_eq!(scan.output().expect("the built program starts").status.code(), Some(0));
    let copy = std::fs::read_to_string(copies.join("3f2a-a.doc")).expect("the copy is saved");
    assert_eq!(copy, "a copy");
}
