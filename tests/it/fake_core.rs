//! The fake Core node, with curl as client: the responses of real nodes, and every fault.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use serde_json::json;

use crate::support::certificates::self_signed;
use crate::support::fake_core_process::{FakeCoreProcess, eicar};
use crate::support::program::required;
use crate::support::wait_until;

#[test]
fn only_the_node_that_accepted_a_file_knows_it() {
    let (one, other) = (FakeCoreProcess::start(&["--id", "one"]), FakeCoreProcess::start(&["--id", "other"]));
    let clean = one.submit("harmless", &["-H", "filename: a.txt"]);
    let eicar = String::from_utf8(eicar()).expect("the EICAR file is text");
    let infected = one.submit(&eicar, &[]);
    assert_eq!(clean.len(), 32);
    let result = |id: &str| one.request(&format!("/file/{id}"), &[]).1;
    let first = result(&clean);
    assert_eq!(first["file_info"]["display_name"], "a.txt");
    assert_eq!(first["file_info"]["file_size"], 8);
    wait_until("the scan of the clean file is over", || result(&clean)["process_info"]["progress_percentage"] == 100);
    assert_eq!(result(&clean)["scan_results"]["scan_all_result_i"], 0);
    assert_eq!(result(&clean)["process_info"]["result"], "Allowed");
    wait_until("the scan of the infected file is over", || result(&infected)["scan_results"]["scan_all_result_i"] == 1);
    assert_eq!(result(&infected)["process_info"]["result"], "Blocked");
    // The other node responds with status 200, says that it is the wrong one, and counts it.
    assert_eq!(other.request(&format!("/file/{clean}"), &[]), (200, json!({ clean.as_str(): "Not Found" })));
    assert_eq!((one.counter("wrong_node"), other.counter("wrong_node")), (0, 1));
    assert_eq!((one.counter("sessions"), other.counter("sessions")), (2, 0));
    let (_, _, headers) = one.curl("/version", &["--include"]);
    assert!(headers.to_lowercase().contains("x-core-id: one"), "{headers}");
}

#[test]
fn uploads_are_refused_with_the_messages_of_core_nodes() {
    let node = FakeCoreProcess::start(&["--apikey", "k"]);
    let refused = |arguments: &[&str]| {
        let (status, body) = node.request("/file", arguments);
        (status, body["err"].as_str().unwrap_or_default().to_owned())
    };
    let with_key = |arguments: &[&'static str]| refused(&[&["-H", "apikey: k"], arguments].concat());
    assert_eq!(refused(&["-d", "x"]), (403, "Access denied".into()));
    assert_eq!(node.request("/readyz", &[]).0, 200, "probes need no key");
    let chunked = ["-H", "Transfer-Encoding: chunked", "-d", "x"];
    assert_eq!(with_key(&chunked), (411, "Missing Content-Length header.".into()));
    assert_eq!(with_key(&["-X", "POST", "-H", "Content-Length: 0"]), (422, "File is empty.".into()));
    node.set_faults(&json!({ "queue": 0 }));
    assert_eq!(with_key(&["-d", "x"]), (503, "Server is too busy. Try again later.".into()));
    node.set_faults(&json!({ "queue": 9, "scan": 500 }));
    assert_eq!(with_key(&["-d", "x"]), (500, "Failed to request scan. Try again later.".into()));
    node.set_faults(&json!({ "scan": 200 }));
    let (status, body) = node.request("/_fake", &["-X", "PUT", "-d", "{\"redyz\": 1}"]);
    assert!(status == 400 && body["err"].as_str().is_some_and(|err| err.contains("unknown field `redyz`")), "{body}");
}

#[test]
fn a_batch_can_be_closed_once_its_files_are_done() {
    let (one, other) = (FakeCoreProcess::start(&["--id", "one"]), FakeCoreProcess::start(&["--id", "other"]));
    one.set_faults(&json!({ "scan_ms": 60_000 }));
    let batch =
        one.request("/file/batch", &["-X", "POST"]).1["batch_id"].as_str().expect("the identifier is text").to_owned();
    let header = format!("batch: {batch}");
    let slow = one.submit("a", &["-H", &header]);
    let (status, body) = other.request("/file", &["-d", "b", "-H", &header]);
    assert_eq!((status, &body["err"]), (400, &json!("Can not scan in given batch.")));
    assert_eq!(other.counter("wrong_node"), 1);
    let path = format!("/file/batch/{batch}");
    let (status, _) = one.request(&format!("{path}/close"), &["-X", "POST"]);
    assert!((400..500).contains(&status), "in progress: {status}");
    assert_eq!(one.request(&format!("{path}/certificate"), &[]).0, 400);
    assert_eq!(one.request(&path, &[]).1["batch_files"]["files_in_batch"][0]["data_id"], slow.as_str());
    assert_eq!(one.request(&format!("{path}/cancel"), &["-X", "POST"]).0, 200);
    assert_eq!(one.request(&path, &[]).1["scan_results"]["scan_all_result_i"], 19);
    // A batch whose files are done can be closed.
    one.set_faults(&json!({ "scan_ms": 0 }));
    let batch =
        one.request("/file/batch", &["-X", "POST"]).1["batch_id"].as_str().expect("the identifier is text").to_owned();
    let (header, path) = (format!("batch: {batch}"), format!("/file/batch/{batch}"));
    one.submit("a", &["-H", &header]);
    one.submit("b", &["-H", &header]);
    assert_eq!(one.request(&format!("{path}/close"), &["-X", "POST"]).0, 200);
    let results = one.request(&path, &[]).1;
    assert_eq!((&results["is_closed"], &results["batch_files"]["batch_count"]), (&json!(true), &json!(2)));
    let certificate = one.request(&format!("{path}/certificate"), &[]).1;
    assert!(certificate.as_str().is_some_and(|text| text.contains("\nsignature: ")), "{certificate}");
    assert_eq!(one.request("/file", &["-d", "late", "-H", &header]).0, 400);
    // A full queue refuses the files of batches as well.
    let batch =
        one.request("/file/batch", &["-X", "POST"]).1["batch_id"].as_str().expect("the identifier is text").to_owned();
    one.set_faults(&json!({ "queue": 0 }));
    let busy = one.request("/file", &["-d", "x", "-H", &format!("batch: {batch}")]);
    assert_eq!(busy, (503, json!({ "err": "Server is too busy. Try again later." })));
}

/// Nodes can be started with addresses only, so all of them have the same name.
#[test]
fn nodes_with_the_same_name_tell_their_sessions_apart() {
    let (one, other) = (FakeCoreProcess::start(&[]), FakeCoreProcess::start(&[]));
    let id = one.submit("x", &[]);
    assert_eq!(other.request(&format!("/file/{id}"), &[]).0, 200);
    assert_eq!((other.counter("wrong_node"), other.counter("forgotten")), (1, 0));
}

/// Exit codes of curl: 7 is a refused connection, 28 a timeout, 52, 55 and 56 a broken connection.
#[test]
fn every_fault_can_be_set() {
    let node = FakeCoreProcess::start(&[]);
    let id = node.submit("x", &[]);
    let exit = || node.curl("/version", &[]).0;
    node.set_faults(&json!({ "hang": true }));
    assert_eq!(exit(), 28);
    node.set_faults(&json!({ "hang": false, "slow_ms": 300 }));
    let began = std::time::Instant::now();
    assert_eq!(exit(), 0);
    assert!(began.elapsed().as_millis() >= 300);
    node.set_faults(&json!({ "slow_ms": 0, "reset_after": 100_000 }));
    let large = "x".repeat(100_000);
    let broken = node.curl("/file", &["--data-binary", &large]).0;
    assert!([52, 55, 56].contains(&broken), "{broken}");
    assert_eq!(node.request("/file", &["-d", "small"]).0, 200, "a smaller file is accepted");
    node.set_faults(&json!({ "reset_after": 0, "outage": { "ms": 1500 } }));
    assert_eq!(exit(), 7, "connections are refused as soon as the node has responded");
    wait_until("the node is back", || exit() == 0);
    assert_eq!(node.request(&format!("/file/{id}"), &[]).1["data_id"], id.as_str(), "the node has kept its sessions");
    node.set_faults(&json!({ "outage": { "ms": 4500, "kind": "blackhole" } }));
    assert_eq!(exit(), 28);
    wait_until("the node is back", || exit() == 0);
    let mut kept = TcpStream::connect(node.url.trim_start_matches("http://")).expect("the node runs");
    let faults = r#"{"outage": {"ms": 0}}"#;
    write!(kept, "PUT /_fake HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{faults}", faults.len())
        .expect("the node reads requests");
    let mut response = String::new();
    kept.read_to_string(&mut response).expect("the connection is closed after the response, not reset");
    assert!(response.starts_with("HTTP/1.1 200") && response.contains("connection: close"), "{response}");
    wait_until("the node is back", || exit() == 0);
    node.set_faults(&json!({ "outage": { "ms": 300, "keeps_sessions": false } }));
    wait_until("the node has forgotten its sessions", || {
        node.curl(&format!("/file/{id}"), &[]).2.contains("Not Found")
    });
    assert!(node.counter("forgotten") > 0 && node.counter("wrong_node") == 0);
    let too_long = node.request("/_fake", &["-X", "PUT", "-d", "{\"outage\": {\"ms\": 3600001}}"]).1;
    assert_eq!(too_long["err"], "outage.ms must be at most 3600000");
    node.set_faults(&json!({ "license_expired": true }));
    assert_eq!(node.request("/file", &["-d", "x"]), (500, json!({ "err": "License is expired" })));
    let (status, checks) = node.request("/readyz", &[]);
    assert_eq!((status, &checks["license"]["status"]), (503, &json!("expired")));
    node.set_faults(&json!({ "license_expired": false, "flap_ms": 50 }));
    let ready = || node.request("/readyz", &[]).0;
    wait_until("the node is not ready", || ready() == 503);
    wait_until("the node is ready", || ready() == 200);
}

#[test]
fn the_node_can_present_the_wrong_certificate() {
    let directory = tempfile::tempdir().expect("the test can create a directory");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("the test can write its directory");
        path.to_string_lossy().into_owned()
    };
    let (right, wrong) = (self_signed("core.lb.example"), self_signed("other.example"));
    let certificate = file("right.pem", &right.cert.pem());
    let key = file("key.pem", &right.signing_key.serialize_pem());
    let wrong = file("wrong.pem", &(wrong.cert.pem() + &wrong.signing_key.serialize_pem()));
    let node = FakeCoreProcess::start(&["--certificate", &certificate, "--key", &key, "--wrong-certificate", &wrong]);
    let port = node.url.rsplit(':').next().expect("the URL has a port");
    let over_tls = |path: &str, more: &[&str]| {
        let output = Command::new(required("curl", "curl"))
            .args(["--silent", "--noproxy", "*", "--max-time", "2", "--cacert", &certificate])
            .args(["--resolve", &format!("core.lb.example:{port}:127.0.0.1")])
            .args(more)
            .arg(format!("https://core.lb.example:{port}{path}"))
            .output();
        output.expect("curl starts").status.code()
    };
    assert_eq!(over_tls("/version", &[]), Some(0));
    assert_eq!(over_tls("/_fake", &["-X", "PUT", "-d", "{\"wrong_certificate\": true}"]), Some(0));
    assert_eq!(over_tls("/version", &[]), Some(60), "curl does not trust the certificate");
}
