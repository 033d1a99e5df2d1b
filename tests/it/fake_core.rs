//! The fake Core node: what real ones answer, and every way in which it can fail, as curl sees it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use serde_json::json;

use crate::support::fake_core::{Node, eicar};
use crate::support::program::required;
use crate::support::wait_until;

#[test]
fn files_are_scanned_by_the_node_that_took_them_and_no_other() {
    let (one, other) = (Node::start(&["--id", "one"]), Node::start(&["--id", "other"]));
    let clean = one.send("harmless", &["-H", "filename: a.txt"]);
    let eicar = String::from_utf8(eicar()).expect("text");
    let infected = one.send(&eicar, &[]);
    assert_eq!(clean.len(), 32);
    let result = |id: &str| one.ask(&format!("/file/{id}"), &[]).1;
    let first = result(&clean);
    assert_eq!(first["file_info"]["display_name"], "a.txt");
    assert_eq!(first["file_info"]["file_size"], 8);
    wait_until("the scan is over", || result(&clean)["process_info"]["progress_percentage"] == 100);
    assert_eq!(result(&clean)["scan_results"]["scan_all_result_i"], 0);
    assert_eq!(result(&clean)["process_info"]["result"], "Allowed");
    wait_until("the other one, too", || result(&infected)["scan_results"]["scan_all_result_i"] == 1);
    assert_eq!(result(&infected)["process_info"]["result"], "Blocked");
    // The wrong node says so with status 200, and counts it.
    assert_eq!(other.ask(&format!("/file/{clean}"), &[]), (200, json!({ clean.as_str(): "Not Found" })));
    assert_eq!((one.counter("wrong_node"), other.counter("wrong_node")), (0, 1));
    assert_eq!((one.counter("sessions"), other.counter("sessions")), (2, 0));
    let (_, _, headers) = one.curl("/version", &["--include"]);
    assert!(headers.to_lowercase().contains("x-core-id: one"), "{headers}");
}

#[test]
fn uploads_are_refused_in_the_words_of_core_nodes() {
    let node = Node::start(&["--apikey", "k"]);
    let refused = |arguments: &[&str]| {
        let (status, body) = node.ask("/file", arguments);
        (status, body["err"].as_str().unwrap_or_default().to_owned())
    };
    let with_key = |arguments: &[&'static str]| refused(&[&["-H", "apikey: k"], arguments].concat());
    assert_eq!(refused(&["-d", "x"]), (403, "Access denied".into()));
    assert_eq!(node.ask("/readyz", &[]).0, 200, "probes need no key");
    let chunked = ["-H", "Transfer-Encoding: chunked", "-d", "x"];
    assert_eq!(with_key(&chunked), (411, "Missing Content-Length header.".into()));
    assert_eq!(with_key(&["-X", "POST", "-H", "Content-Length: 0"]), (422, "File is empty.".into()));
    node.set(&json!({ "queue": 0 }));
    assert_eq!(with_key(&["-d", "x"]), (503, "Server is too busy. Try again later.".into()));
    node.set(&json!({ "queue": 9, "scan": 500 }));
    assert_eq!(with_key(&["-d", "x"]), (500, "Failed to request scan. Try again later.".into()));
    node.set(&json!({ "scan": 200 }));
    assert_eq!(node.ask("/admin/license/backup", &["-X", "POST", "-H", "apikey: k"]).0, 200);
    assert_eq!(with_key(&["-d", "x"]).0, 500, "a hot backup refuses scans");
    let (status, body) = node.ask("/_fake", &["-X", "PUT", "-d", "{\"redyz\": 1}"]);
    assert!(status == 400 && body["err"].as_str().is_some_and(|err| err.contains("unknown field `redyz`")), "{body}");
}

#[test]
fn batches_close_when_their_files_are_done() {
    let (one, other) = (Node::start(&["--id", "one"]), Node::start(&["--id", "other"]));
    one.set(&json!({ "scan_ms": 60_000 }));
    let batch = one.ask("/file/batch", &["-X", "POST"]).1["batch_id"].as_str().expect("an identifier").to_owned();
    let header = format!("batch: {batch}");
    let slow = one.send("a", &["-H", &header]);
    let (status, body) = other.ask("/file", &["-d", "b", "-H", &header]);
    assert_eq!((status, &body["err"]), (400, &json!("Cannot scan batch in another instance.")));
    assert_eq!(other.counter("wrong_node"), 1);
    let path = format!("/file/batch/{batch}");
    let (status, _) = one.ask(&format!("{path}/close"), &["-X", "POST"]);
    assert!((400..500).contains(&status), "in progress: {status}");
    assert_eq!(one.ask(&format!("{path}/certificate"), &[]).0, 400);
    assert_eq!(one.ask(&path, &[]).1["batch_files"]["files_in_batch"][0]["data_id"], slow.as_str());
    assert_eq!(one.ask(&format!("{path}/cancel"), &["-X", "POST"]).0, 200);
    assert_eq!(one.ask(&path, &[]).1["scan_results"]["scan_all_result_i"], 19);
    // The next one runs to its end.
    one.set(&json!({ "scan_ms": 0 }));
    let batch = one.ask("/file/batch", &["-X", "POST"]).1["batch_id"].as_str().expect("an identifier").to_owned();
    let (header, path) = (format!("batch: {batch}"), format!("/file/batch/{batch}"));
    one.send("a", &["-H", &header]);
    one.send("b", &["-H", &header]);
    assert_eq!(one.ask(&format!("{path}/close"), &["-X", "POST"]).0, 200);
    let shown = one.ask(&path, &[]).1;
    assert_eq!((&shown["is_closed"], &shown["batch_files"]["batch_count"]), (&json!(true), &json!(2)));
    let certificate = one.ask(&format!("{path}/certificate"), &[]).1;
    assert!(certificate.as_str().is_some_and(|text| text.contains("\nsignature: ")), "{certificate}");
    assert_eq!(one.ask("/file", &["-d", "late", "-H", &header]).0, 400);
    // A full queue is one for batches, too.
    let batch = one.ask("/file/batch", &["-X", "POST"]).1["batch_id"].as_str().expect("an identifier").to_owned();
    one.set(&json!({ "queue": 0 }));
    let busy = one.ask("/file", &["-d", "x", "-H", &format!("batch: {batch}")]);
    assert_eq!(busy, (503, json!({ "err": "Server is too busy. Try again later." })));
}

/// As those of a cluster that was started with no more than addresses.
#[test]
fn nodes_of_one_name_know_each_other_apart() {
    let (one, other) = (Node::start(&[]), Node::start(&[]));
    let id = one.send("x", &[]);
    assert_eq!(other.ask(&format!("/file/{id}"), &[]).0, 200);
    assert_eq!((other.counter("wrong_node"), other.counter("forgotten")), (1, 0));
}

/// Exit codes of curl: 7 is a refused connection, 28 silence, 52 and 56 one that breaks.
#[test]
fn nodes_fail_in_every_way_that_is_asked_for() {
    let node = Node::start(&[]);
    let id = node.send("x", &[]);
    let exit = || node.curl("/version", &[]).0;
    node.set(&json!({ "hang": true }));
    assert_eq!(exit(), 28);
    node.set(&json!({ "hang": false, "slow_ms": 300 }));
    let began = std::time::Instant::now();
    assert_eq!(exit(), 0);
    assert!(began.elapsed().as_millis() >= 300);
    node.set(&json!({ "slow_ms": 0, "reset_after": 100_000 }));
    let large = "x".repeat(100_000);
    let broken = node.curl("/file", &["--data-binary", &large]).0;
    assert!([52, 55, 56].contains(&broken), "{broken}");
    assert_eq!(node.ask("/file", &["-d", "small"]).0, 200, "less than that is taken");
    node.set(&json!({ "reset_after": 0, "outage": { "ms": 1500 } }));
    assert_eq!(exit(), 7, "connections are refused as soon as it has answered");
    wait_until("it is back", || exit() == 0);
    assert_eq!(node.ask(&format!("/file/{id}"), &[]).1["data_id"], id.as_str(), "it has kept its sessions");
    node.set(&json!({ "outage": { "ms": 4500, "kind": "blackhole" } }));
    assert_eq!(exit(), 28);
    wait_until("it is back", || exit() == 0);
    let mut kept = TcpStream::connect(node.url.trim_start_matches("http://")).expect("a running node");
    let faults = r#"{"outage": {"ms": 0}}"#;
    write!(kept, "PUT /_fake HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{faults}", faults.len())
        .expect("it reads");
    let mut answer = String::new();
    kept.read_to_string(&mut answer).expect("the connection is closed after the answer, not reset");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    wait_until("it is back", || exit() == 0);
    node.set(&json!({ "outage": { "ms": 300, "keeps_sessions": false } }));
    wait_until("it has forgotten its sessions", || node.curl(&format!("/file/{id}"), &[]).2.contains("Not Found"));
    assert!(node.counter("forgotten") > 0 && node.counter("wrong_node") == 0);
    let endless = node.ask("/_fake", &["-X", "PUT", "-d", "{\"outage\": {\"ms\": 3600001}}"]).1;
    assert_eq!(endless["err"], "outage.ms must be at most 3600000");
    node.set(&json!({ "license_expired": true }));
    assert_eq!(node.ask("/file", &["-d", "x"]), (500, json!({ "err": "License is expired" })));
    let (status, checks) = node.ask("/readyz", &[]);
    assert_eq!((status, &checks["license"]["status"]), (503, &json!("expired")));
    node.set(&json!({ "license_expired": false, "flap_ms": 50 }));
    let ready = || node.ask("/readyz", &[]).0;
    wait_until("it is not ready", || ready() == 503);
    wait_until("it is ready", || ready() == 200);
}

#[test]
fn over_tls_the_wrong_certificate_can_be_shown() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("a file for the test");
        path.to_string_lossy().into_owned()
    };
    let issue = |name: &str| rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("a certificate");
    let (right, wrong) = (issue("core.lb.example"), issue("other.example"));
    let certificate = file("right.pem", &right.cert.pem());
    let key = file("key.pem", &right.signing_key.serialize_pem());
    let wrong = file("wrong.pem", &(wrong.cert.pem() + &wrong.signing_key.serialize_pem()));
    let node = Node::start(&["--certificate", &certificate, "--key", &key, "--wrong-certificate", &wrong]);
    let port = node.url.rsplit(':').next().expect("a port");
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
    assert_eq!(over_tls("/version", &[]), Some(60), "the certificate is not believed");
}
