//! Requests and responses that break, stall, drip or make no sense.

use std::time::{Duration, Instant};

use evenkeel_client::{Cluster, Error, Source, Verdict};
use serde_json::json;

use super::{clean_and_infected, scan};
use crate::support::canned_node;
use crate::support::cluster::Wait;
use crate::support::core_double::CoreDouble;

/// For each attack on each request, an infected file is never allowed, and a clean file is allowed
/// or failed. Attacks end after three requests, so scans that repeat their requests survive.
#[test]
fn attacks_cause_no_wrong_verdict() {
    let double = CoreDouble::start(&[]);
    let folder = clean_and_infected();
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
            // Of these attacks, only broken connections and busy nodes are worth another attempt.
            let is_repeated = attack.get("reset").is_some() || attack.get("busy").is_some();
            assert_eq!(code, Some(if is_repeated { 2 } else { 1 }), "{attack} {mode:?}: {lines:?}");
            assert_eq!(verdicts["clean.txt"] == "allowed", is_repeated, "{attack} {mode:?}: {lines:?}");
        }
    }
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

/// Nothing gets better if such a response is asked for again, or the file is sent again.
#[test]
fn a_response_that_is_too_long_or_not_http_is_no_outage() {
    let double = CoreDouble::start(&[]);
    let cluster = Cluster::builder(&double.url()).resubmissions(3).build().expect("the options are valid");
    double.set_faults(&json!({ "malformed": "huge", "size": 5_000_000, "method": "GET", "count": 1 }));
    let huge = cluster.scan_to_end(&mut Source::bytes("a", "harmless")).wait().expect_err("the response is too long");
    assert!(matches!(huge, Error::InvalidResponse { .. }), "{huge}");
    assert_eq!(double.counter("uploads"), 1);
    double.set_faults(&json!({ "malformed": "huge", "size": 5_000_000, "method": "POST", "count": 1 }));
    let huge = cluster.scan(&mut Source::bytes("a", "harmless")).wait().expect_err("the response is too long");
    assert!(matches!(huge, Error::InvalidResponse { .. }), "{huge}");
    let address = canned_node::start(|request| match request {
        upload if upload.starts_with("POST /file ") => canned_node::response(200, "", r#"{"data_id":"3f2a"}"#),
        _ => b"SSH-2.0-OpenSSH\r\n\r\n".to_vec(),
    });
    let cluster = Cluster::new(&format!("http://{address}")).expect("the URL is valid");
    let not_http = cluster.scan_to_end(&mut Source::bytes("a", "x")).wait().expect_err("the response is not HTTP");
    assert!(matches!(not_http, Error::InvalidResponse { .. }), "{not_http}");
}

/// The node, or a balancer in front of it, breaks off the response to an upload, or cannot take it.
#[test]
fn a_session_starts_after_responses_that_break_and_refusals_of_balancers() {
    let refusals: [fn() -> Vec<u8>; 5] = [
        || b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 90\r\nConnection: close\r\n\r\n{\"err\"".to_vec(),
        || b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\nConnection: close\r\n\r\n{\"data_id\"".to_vec(),
        || b"HTTP/1.1 403 Forbidden\r\nContent-Length: 90\r\nConnection: close\r\n\r\n{\"err\"".to_vec(),
        || canned_node::response(502, "", "<html>Bad Gateway</html>"),
        || canned_node::response(504, "", "<html>Gateway Timeout</html>"),
    ];
    for refusal in refusals {
        let is_first = std::sync::atomic::AtomicBool::new(true);
        let address = canned_node::start(move |_| match is_first.swap(false, std::sync::atomic::Ordering::Relaxed) {
            true => refusal(),
            false => canned_node::response(200, "", r#"{"data_id":"3f2a"}"#),
        });
        let cluster = Cluster::new(&format!("http://{address}")).expect("the URL is valid");
        let scan = cluster.scan(&mut Source::bytes("a", "x")).wait();
        let text = String::from_utf8(refusal()).expect("the refusal is text");
        assert_eq!(scan.expect("the node accepts the second upload").data_id(), "3f2a", "{text}");
    }
}

/// If no other node takes the file, the reason of the refusal is kept.
#[test]
fn a_full_disk_is_the_reason_if_no_node_has_room() {
    let double = CoreDouble::start(&[]);
    let cluster = Cluster::new(&double.url()).expect("the URL is valid");
    double.set_faults(&json!({ "disk_full": true }));
    let full = cluster.scan(&mut Source::bytes("a", "harmless")).wait().expect_err("no node has room");
    assert!(matches!(full, Error::UnexpectedStatus { status: 400, .. }), "{full}");
    assert!(full.to_string().contains("insufficient disk space"), "{full}");
}

#[test]
fn the_longest_timeouts_do_not_overflow_the_clock() {
    let double = CoreDouble::start(&[]);
    let cluster = Cluster::builder(&double.url())
        .stall_timeout(Duration::MAX)
        .outage_timeout(Duration::MAX)
        .result_timeout(Duration::MAX)
        .deadline(Duration::MAX)
        .connect_timeout(Duration::MAX);
    let cluster = cluster.build().expect("the options are valid");
    let report = cluster.scan_to_end(&mut Source::bytes("a", "harmless")).wait().expect("the double has the result");
    assert_eq!(report.verdict, Verdict::Allowed);
    let batch = cluster.open_batch().wait().expect("the double accepts the batch");
    batch.close().wait().expect("the double closes the batch");
}

/// A report must be about the file whose hash was looked up.
#[test]
fn a_result_for_another_hash_is_no_result() {
    let report = json!({
        "data_id": "3f2a",
        "file_info": { "sha256": "b".repeat(64) },
        "process_info": { "progress_percentage": 100, "result": "Allowed" },
        "scan_results": { "progress_percentage": 100 },
    });
    let address = canned_node::start(move |_| canned_node::response(200, "", &report.to_string()));
    let cluster = Cluster::new(&format!("http://{address}")).expect("the URL is valid");
    let other = cluster.lookup_hash(&"a".repeat(64)).wait().expect_err("the report has another hash");
    assert!(matches!(other, Error::InvalidResponse { .. }), "{other}");
    let (scan, _) = cluster.lookup_hash(&"B".repeat(64)).wait().expect("the node responds").expect("it has a result");
    assert_eq!(scan.data_id(), "3f2a");
}
