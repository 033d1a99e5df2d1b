//! Files and batches of the fake Core node, with curl as client: pages, cancellation, hashes,
//! rules, headers of uploads, sanitized copies and callbacks, as the vendor documents them.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::fake_core_process::{FakeCoreProcess, eicar};
use crate::support::{accept, wait_until};

/// A node whose scans end at once.
fn start_node() -> FakeCoreProcess {
    FakeCoreProcess::start(&["--faults", "{\"scan_ms\": 0}"])
}

/// Opens a batch; returns its identifier.
fn open_batch(node: &FakeCoreProcess) -> String {
    let (status, body) = node.request("/file/batch", &["-X", "POST"]);
    assert_eq!(status, 200, "{body}");
    body["batch_id"].as_str().expect("the identifier is text").to_owned()
}

fn post(node: &FakeCoreProcess, path: &str) -> (u16, Value) {
    node.request(path, &["-X", "POST"])
}

fn get(node: &FakeCoreProcess, path: &str) -> (u16, Value) {
    node.request(path, &[])
}

fn eicar_text() -> String {
    String::from_utf8(eicar()).expect("the EICAR file is text")
}

#[test]
fn the_files_of_a_batch_are_listed_in_pages() {
    let node = start_node();
    let batch = open_batch(&node);
    let path = format!("/file/batch/{batch}");
    let empty = get(&node, &path).1;
    assert_eq!(empty["batch_files"], json!({ "batch_count": 0 }));
    assert_eq!(empty["process_info"]["result"], "Processing");
    let header = format!("batch: {batch}");
    let sent: BTreeSet<String> = (0..53).map(|_| node.submit("x", &["-H", &header])).collect();
    let page = |query: &str| {
        let files = get(&node, &format!("{path}{query}")).1["batch_files"].take();
        assert_eq!(files["batch_count"], 53);
        let ids: Vec<String> = files["files_in_batch"]
            .as_array()
            .expect("the member is a list")
            .iter()
            .map(|file| file["data_id"].as_str().expect("the identifier is text").to_owned())
            .collect();
        (ids, files["first_index"].clone(), files["page_size"].clone())
    };
    let (first, index, size) = page("");
    assert_eq!((first.len(), index, size), (50, json!(0), json!(50)));
    let (rest, index, size) = page("?first=50");
    assert_eq!((rest.len(), index, size), (3, json!(50), json!(50)));
    assert_eq!(first.into_iter().chain(rest).collect::<BTreeSet<_>>(), sent);
    let (part, index, size) = page("?first=10&size=20");
    assert_eq!((part.len(), index, size), (20, json!(10), json!(20)));
    assert_eq!(page("?first=100").0.len(), 0);
    assert_eq!(get(&node, &format!("{path}?first=x")).0, 400);
}

#[test]
fn unknown_identifiers_are_answered_as_documented() {
    let node = start_node();
    let id = "0123456789abcdef0123456789abcdef";
    let not_found = (404, json!({ "err": "Not found" }));
    assert_eq!(get(&node, &format!("/file/{id}")), (200, json!({ id: "Not Found" })));
    for path in [format!("/file/batch/{id}"), format!("/file/batch/{id}/certificate"), format!("/file/webhook/{id}")] {
        assert_eq!(get(&node, &path), not_found, "{path}");
    }
    for path in [
        format!("/file/{id}/cancel"),
        format!("/file/batch/{id}/cancel"),
        format!("/file/batch/{id}/close"),
        format!("/file/batch/{id}/close/callback"),
    ] {
        assert_eq!(post(&node, &path), not_found, "{path}");
    }
    assert_eq!(get(&node, &format!("/file/converted/{id}")).0, 404);
    assert_eq!(node.counter("wrong_node"), 9);
    // A hash is no session.
    assert_eq!(get(&node, &format!("/hash/{id}")), (200, json!({ id: "Not Found" })));
    assert_eq!(get(&node, "/hash/xyz").0, 404);
    assert_eq!(node.counter("wrong_node"), 9);
    let lost = node.request("/file", &["-d", "x", "-H", &format!("batch: {id}")]);
    assert_eq!(lost, (400, json!({ "err": "Can not scan in given batch." })));
}

#[test]
fn files_and_batches_can_be_cancelled() {
    let node = FakeCoreProcess::start(&["--faults", "{\"scan_ms\": 60000}"]);
    let single = node.submit("x", &[]);
    let running = get(&node, &format!("/file/{single}")).1;
    assert_eq!(
        (&running["scan_results"]["total_time"], &running["process_info"]["result"]),
        (&json!(-1), &json!("Processing"))
    );
    assert_eq!(post(&node, &format!("/file/{single}/cancel")), (200, json!({ single.as_str(): "cancelled" })));
    let cancelled = get(&node, &format!("/file/{single}")).1;
    assert_eq!(cancelled["scan_results"]["scan_all_result_i"], 19);
    assert_eq!(cancelled["scan_results"]["scan_all_result_a"], "Cancelled");
    assert_eq!(cancelled["process_info"]["progress_percentage"], 100);
    for form in ["/file/batch/ID/cancel", "/file/ID/cancel"] {
        let batch = open_batch(&node);
        let file = node.submit("x", &["-H", &format!("batch: {batch}")]);
        assert_eq!(post(&node, &form.replace("ID", &batch)), (200, json!({ batch.as_str(): "cancelled" })));
        let results = get(&node, &format!("/file/batch/{batch}")).1;
        assert_eq!((&results["is_closed"], &results["scan_results"]["scan_all_result_i"]), (&json!(true), &json!(19)));
        assert_eq!(get(&node, &format!("/file/{file}")).1["scan_results"]["scan_all_result_i"], 19);
    }
    assert_eq!((node.counter("cancelled"), node.counter("cancelled_files")), (2, 1));
    // A scan that has ended keeps its result.
    node.set_faults(&json!({ "scan_ms": 0 }));
    let done = node.submit("x", &[]);
    assert_eq!(post(&node, &format!("/file/{done}/cancel")).0, 200);
    assert_eq!(get(&node, &format!("/file/{done}")).1["scan_results"]["scan_all_result_i"], 0);
}

#[test]
fn a_result_is_found_by_each_hash() {
    let node = start_node();
    let file = node.submit("abc", &[]);
    for hash in [
        "900150983cd24fb0d6963f7d28e17f72",
        "A9993E364706816ABA3E25717850C26C9CD0D89D",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ] {
        assert_eq!(get(&node, &format!("/hash/{hash}")).1["data_id"], file.as_str(), "{hash}");
    }
    let path = "/hash/900150983cd24fb0d6963f7d28e17f72";
    assert_eq!(node.request(path, &["-H", "rule: File%20process"]).1["data_id"], file.as_str());
    let under_another = node.request(path, &["-H", "rule: sanitize"]).1;
    assert_eq!(under_another["900150983cd24fb0d6963f7d28e17f72"], "Not Found");
    node.set_faults(&json!({ "scan_ms": 60_000 }));
    let running = node.submit("x", &[]);
    let path = "/hash/9dd4e461268c8034f5c8564e155c67a6";
    assert_eq!(get(&node, path).1["9dd4e461268c8034f5c8564e155c67a6"], "Not Found");
    assert_eq!(node.request(path, &["-H", "include-inprogress: true"]).1["data_id"], running.as_str());
}

#[test]
fn the_rule_of_an_upload_must_be_one_of_the_rules_for_its_user_agent() {
    let node = start_node();
    let names = |arguments: &[&str]| {
        let rules = node.request("/file/rules", arguments).1;
        let rules = rules.as_array().expect("the body is a list").iter();
        rules.map(|rule| rule["name"].as_str().expect("the name is text").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&[]), ["File process", "sanitize"]);
    assert_eq!(names(&["-H", "user_agent: kiosk"]), ["File process", "sanitize", "kiosk"]);
    let no_rule = (500, json!({ "err": "No available rule is present for scanning." }));
    assert_eq!(node.request("/file", &["-d", "x", "-H", "rule: missing"]), no_rule);
    assert_eq!(node.request("/file", &["-d", "x", "-H", "rule: kiosk"]), no_rule);
    assert_eq!(node.request("/file/batch", &["-X", "POST", "-H", "rule: missing"]), no_rule);
    let kiosk = ["-H", "rule: kiosk", "-H", "user_agent: kiosk"];
    let file = node.submit("x", &kiosk);
    let result = get(&node, &format!("/file/{file}")).1;
    assert_eq!(
        (&result["process_info"]["profile"], &result["process_info"]["user_agent"]),
        (&json!("kiosk"), &json!("kiosk"))
    );
    let large = "x".repeat(100_000);
    let large = node.request("/file", &[&["-d", &large, "-H", "Content-Length: 1000001"], &kiosk[..]].concat());
    assert!(large.0 == 500 && large.1.to_string().contains("exceeded the maximum size"), "{large:?}");
    // The files of a batch have the rule of the batch.
    let batch = node.request("/file/batch", &["-X", "POST", "-H", "rule: sanitize"]).1["batch_id"].take();
    let batch = batch.as_str().expect("the identifier is text");
    let file = node.submit("x", &["-H", &format!("batch: {batch}")]);
    assert_eq!(get(&node, &format!("/file/{file}")).1["process_info"]["profile"], "sanitize");
}

#[test]
fn results_show_threats_metadata_and_encrypted_archives() {
    let node = start_node();
    let result = |content: &str, arguments: &[&str]| {
        let file = node.submit(content, arguments);
        get(&node, &format!("/file/{file}")).1
    };
    let infected = result(&eicar_text(), &["-H", "metadata: %7B%22ticket%22:7%7D", "-H", "filename: a%20b.com"]);
    let details = infected["scan_results"]["scan_details"].as_object().expect("the member is an object");
    assert_eq!(details.keys().collect::<Vec<_>>(), ["Avira", "ClamAV"]);
    assert!(details.values().all(|detail| detail["threat_found"] == "EICAR_Test_File" && detail["scan_result_i"] == 1));
    assert_eq!(infected["process_info"]["blocked_reason"], "Infected");
    assert_eq!(infected["metadata"], json!({ "ticket": 7 }));
    assert_eq!(infected["file_info"]["display_name"], "a%20b.com", "names are not decoded");
    let locked = result("x", &["-H", "filename: encrypted.zip"]);
    assert_eq!(locked["scan_results"]["scan_all_result_i"], 12);
    assert_eq!(locked["process_info"]["blocked_reason"], "Encrypted Archive");
    let opened = result("x", &["-H", "filename: encrypted.zip", "-H", "archivepwd1: secret"]);
    assert_eq!(opened["process_info"]["result"], "Allowed");
    assert_eq!(opened["scan_results"]["scan_details"]["ClamAV"]["threat_found"], "");
}

#[test]
fn the_rule_sanitize_makes_a_copy_of_files_without_a_threat() {
    let node = start_node();
    let file = node.submit("x", &["-H", "rule: sanitize", "-H", "filename: a%20b.doc"]);
    let result = get(&node, &format!("/file/{file}")).1;
    assert_eq!(result["process_info"]["post_processing"]["actions_ran"], "Sanitized");
    let (code, status, copy) = node.curl(&format!("/file/converted/{file}"), &["--include"]);
    assert!(code == 0 && status == 200 && copy.contains("sanitized copy of "), "{copy}");
    assert!(copy.contains("attachment; filename=\"sanitized_a%20b.doc\""), "{copy}");
    let infected = node.submit(&eicar_text(), &["-H", "rule: sanitize"]);
    let plain = node.submit("x", &[]);
    for file in [infected, plain] {
        let missing = get(&node, &format!("/file/converted/{file}"));
        assert_eq!(missing, (404, json!({ "err": "File could not be found" })));
    }
}

#[test]
fn a_batch_that_was_closed_during_an_upload_refuses_the_file() {
    let node = start_node();
    let batch = open_batch(&node);
    let mut upload = std::net::TcpStream::connect(node.url.trim_start_matches("http://")).expect("the node runs");
    write!(
        upload,
        "POST /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\nbatch: {batch}\r\nContent-Length: 2\r\n\r\na"
    )
    .expect("the node reads requests");
    // The node answers a request that arrives later only after it has read the headers of the
    // upload.
    wait_until("the upload has begun", || node.counter("requests") >= 2);
    assert_eq!(post(&node, &format!("/file/batch/{batch}/close")).0, 200, "the upload is not in progress yet");
    upload.write_all(b"b").expect("the node reads requests");
    let mut response = String::new();
    upload.read_to_string(&mut response).expect("the node responds");
    assert!(
        response.starts_with("HTTP/1.1 400") && response.contains("Batch closed during file upload."),
        "{response}"
    );
}

/// Accepts one request, answers it with a status, and returns its head and body.
fn receive(listener: &TcpListener, status: u16) -> (String, Value) {
    let mut reader = BufReader::new(accept(listener));
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line).expect("the node sends a request") > 2 {
        head += &std::mem::take(&mut line).to_lowercase();
    }
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).expect("there is a body");
    let mut body = vec![0; length.parse().expect("the length is a number")];
    reader.read_exact(&mut body).expect("the body is complete");
    write!(reader.get_mut(), "HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n").expect("the node reads the response");
    (head, serde_json::from_slice(&body).expect("the body is JSON"))
}

#[test]
fn callbacks_are_repeated_until_they_succeed() {
    let node = start_node();
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let url = format!("http://{}/result?x=1", listener.local_addr().expect("a bound socket has an address"));
    let refused = node.request("/file", &["-d", "x", "-H", "callbackurl: nowhere"]);
    assert_eq!(refused, (400, json!({ "err": "Callback url is invalid." })));
    let file = node.submit("x", &["-H", &format!("callbackurl: {url}")]);
    let webhook = |id: &str| get(&node, &format!("/file/webhook/{id}")).1;
    assert_eq!(webhook(&file)["url"], url.as_str());
    let (head, report) = receive(&listener, 500);
    assert!(head.starts_with("post /result?x=1 http/1.1"), "{head}");
    assert_eq!((&report["data_id"], &report["process_info"]["result"]), (&json!(file), &json!("Allowed")));
    wait_until("the failure is visible", || webhook(&file)["status_code"] == 444);
    assert_eq!(receive(&listener, 200).1["data_id"], file.as_str());
    wait_until("the success is visible", || webhook(&file)["status_code"] == 200);
    // The node closes a batch with a callback by itself, as soon as its files are scanned.
    node.set_faults(&json!({ "scan_ms": 60_000 }));
    let batch = open_batch(&node);
    let header = format!("callbackurl: {url}");
    let slow = node.submit("x", &["-H", &format!("batch: {batch}")]);
    let set = node.request(&format!("/file/batch/{batch}/close/callback"), &["-X", "POST", "-H", &header]);
    assert_eq!(set, (200, json!({ batch.as_str(): "Callback url set" })));
    assert_eq!(get(&node, &format!("/file/batch/{batch}")).1["is_closed"], false);
    assert_eq!(post(&node, &format!("/file/{slow}/cancel")).0, 200);
    let report = receive(&listener, 200).1;
    assert_eq!((&report["batch_id"], &report["is_closed"]), (&json!(batch), &json!(true)));
    let closed = node.request(&format!("/file/batch/{batch}/close"), &["-X", "POST", "-H", &header]);
    assert_eq!(closed.0, 400);
}
