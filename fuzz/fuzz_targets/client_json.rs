//! Any bytes as a node's response to the client library: reports, batches, identifiers, messages,
//! cookies; and as a ticket.
//!
//! The parsers are private to the client, so the target compiles their files as its own modules.
//! The most important law: a file may pass only if the node says so in so many words.
#![no_main]

#[path = "../../crates/client/src/cookie.rs"]
mod cookie;
#[path = "../../crates/client/src/report.rs"]
mod report;
#[path = "../../crates/client/src/response_text.rs"]
mod response_text;
#[path = "../../crates/client/src/session_id.rs"]
mod session_id;

use std::net::SocketAddr;

use evenkeel_client::{Ticket, Value};
use libfuzzer_sys::fuzz_target;
use report::{Progress, Verdict};
use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};

/// Longest message in an error, in characters.
const MAX_MESSAGE: usize = 200;

const NODE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8008);

/// Returns true if the response says that its file or batch may pass.
fn is_allowed(json: &Value) -> bool {
    json["process_info"]["result"] == "Allowed"
}

fn check_progress(json: &Value) {
    let Ok(Progress { percent, report }) = report::parse_progress(NODE, "3f2a", json.clone()) else {
        let is_about_another = json["data_id"].as_str().is_some_and(|data_id| data_id != "3f2a");
        let has_verdict = json["process_info"]["result"].is_string();
        return assert!(is_about_another || !has_verdict, "a verdict was not read: {json}");
    };
    assert!(percent <= 100, "{json}");
    let Some(report) = report else { return };
    assert_eq!(percent, 100, "a report before the end: {json}");
    assert_eq!(report.verdict == Verdict::Allowed, is_allowed(json), "{json}");
    assert_eq!((report.node, &*report.data_id, &report.json), (NODE, "3f2a", json));
    assert!(!report.is_sanitized() || json.to_string().contains("Sanitized"), "{json}");
    assert!(report.hashes.contain(&report.hashes.sha256), "{json}");
    let shown = (&*report.name, &*report.result, report.result_code);
    let member = |section: &str, name: &str| json[section][name].as_str().unwrap_or_default().to_owned();
    let code = json["scan_results"]["scan_all_result_i"].as_i64();
    let expected = (member("file_info", "display_name"), member("scan_results", "scan_all_result_a"), code);
    assert_eq!(shown, (&*expected.0, &*expected.1, expected.2), "{json}");
    if let Verdict::Blocked(reason) = &report.verdict {
        assert!(!reason.is_empty(), "no reason: {json}");
    }
}

fn check_batch(json: &Value) {
    let Ok(page) = report::parse_batch_page(0, json.clone()) else { return };
    let status = page.status;
    assert_eq!(status.verdict == Some(Verdict::Allowed), is_allowed(json), "{json}");
    assert_eq!(json["is_closed"], status.is_closed, "{json}");
    assert_eq!(json["scan_results"]["scan_all_result_a"].as_str().unwrap_or_default(), status.result);
    let files = json["batch_files"]["files_in_batch"].as_array().map_or(0, Vec::len);
    assert_eq!(status.files.len(), files, "{json}");
    for file in &status.files {
        assert!(file.percent <= 100, "{json}");
        assert!(!file.is_processed() || file.percent == 100 && file.result_code != Some(255), "{json}");
    }
    // The next page starts after this one, so the pages end.
    assert!(page.next.is_none_or(|next| next == files && files > 0), "{json}");
    let mut without_files = json.clone();
    if let Some(files) = without_files.pointer_mut("/batch_files/files_in_batch") {
        files.take();
    }
    assert_eq!(status.json, without_files);
}

fn check_ids(json: &Value) {
    for member in ["data_id", "batch_id"] {
        let Ok(id) = session_id::parse(json, member) else { continue };
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) && !id.is_empty());
        assert_eq!(json[member], id.as_str());
        check_ticket(&format!("file {NODE} {id}")).expect("an identifier makes a ticket");
    }
}

/// Checks that a ticket is read as it is written.
fn check_ticket(text: &str) -> Option<Ticket> {
    let ticket: Ticket = text.parse().ok()?;
    let shown = ticket.to_string();
    assert_eq!(shown.lines().count(), 1, "{shown:?}");
    assert_eq!(shown.parse::<Ticket>().as_ref().ok(), Some(&ticket), "{shown:?}");
    Some(ticket)
}

fn check_message(text: &str) {
    let message = response_text::message(text);
    assert!(message.chars().count() <= MAX_MESSAGE && !message.chars().any(char::is_control), "{message:?}");
    if response_text::is_unknown_session("3f2a", text) {
        assert_eq!(serde_json::from_str::<Value>(text).expect("JSON")["3f2a"], "Not Found");
    }
}

/// Each line as a `Set-Cookie` header.
fn check_cookie(body: &[u8]) {
    let lines = body.split(|&byte| byte == b'\n').take(8);
    let values = lines.filter_map(|line| HeaderValue::from_bytes(line).ok());
    let headers: HeaderMap = values.map(|value| (SET_COOKIE, value)).collect();
    let Some(cookie) = cookie::from_response(&headers) else { return };
    assert!(cookie.is_sensitive(), "the cookie would be logged");
    // Only names and values are sent back, no attributes.
    let mut pairs = cookie.as_bytes().split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    assert!(pairs.all(|pair| pair.iter().position(|&byte| byte == b'=').is_some_and(|at| at > 0)), "{cookie:?}");
    if let Ok(cookie) = cookie.to_str() {
        check_ticket(&format!("batch {NODE} 3f2a {cookie}"));
    }
}

fuzz_target!(|body: &[u8]| {
    // As the client reads bodies.
    let text = String::from_utf8_lossy(body);
    check_message(&text);
    check_cookie(body);
    check_ticket(&text);
    if let Ok(json) = serde_json::from_str::<Value>(&text) {
        check_progress(&json);
        check_batch(&json);
        check_ids(&json);
    }
});
