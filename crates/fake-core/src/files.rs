//! Handlers of uploaded files: results, cancellation, lookup by hash, sanitized copies, and the
//! outcome of callbacks.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::headers::{as_sent, decoded, url_decoded};
use crate::identifier::Identifier;
use crate::node::FakeCore;
use crate::report::{file_report, sanitized_name};
use crate::response::error_response;
use crate::sessions::{about, unknown_session};

/// Numbers of digits of MD5, SHA-1 and SHA-256.
const HASH_LENGTHS: [usize; 3] = [32, 40, 64];

/// What is percent-encoded in the name of a sanitized copy: all but unreserved characters (RFC 3986
/// §2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `GET /file/{data_id}`. Real nodes answer an unknown identifier with status 200.
pub(crate) async fn file_status(State(core): State<FakeCore>, Identifier(id): Identifier) -> Response {
    let mut state = core.state();
    if let Some(file) = state.sessions.files.get(&id) {
        return Json(file_report(&id, file)).into_response();
    }
    core.count_unknown_session(&mut state, &id);
    about(&id, "Not Found")
}

/// `POST /file/{id}/cancel`, also for batches, as older nodes have it.
pub(crate) async fn cancel(State(core): State<FakeCore>, Identifier(id): Identifier) -> Response {
    let mut state = core.state();
    if state.sessions.batches.contains_key(&id) {
        state.sessions.cancel_batch(&id);
        state.counters.cancelled += 1;
    } else if let Some(file) = state.sessions.files.get_mut(&id) {
        file.cancel();
        state.counters.cancelled_files += 1;
    } else {
        return unknown_session(&core, &mut state, &id);
    }
    core.scans_changed.notify_waiters();
    about(&id, "cancelled")
}

/// `GET /hash/{hash}`: with the header `rule`, only a result under that rule.
pub(crate) async fn by_hash(
    State(core): State<FakeCore>,
    Identifier(hash): Identifier,
    headers: HeaderMap,
) -> Response {
    if !HASH_LENGTHS.contains(&hash.len()) || !hash.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return error_response(StatusCode::NOT_FOUND, "Invalid hash format");
    }
    let wants_unfinished =
        as_sent(&headers, "include-inprogress").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let rule = decoded(&headers, "rule");
    match core.state().sessions.by_hash(&hash, rule.as_deref(), wants_unfinished) {
        Some((id, file)) => Json(file_report(id, file)).into_response(),
        None => about(&hash, "Not Found"),
    }
}

/// `GET /file/converted/{data_id}`: the sanitized copy of a file. Uploads are not stored, so the
/// copy is a line of text.
pub(crate) async fn converted(State(core): State<FakeCore>, Identifier(id): Identifier) -> Response {
    let mut state = core.state();
    let Some(file) = state.sessions.files.get(&id) else { return unknown_session(&core, &mut state, &id) };
    if !file.is_sanitized() {
        return error_response(StatusCode::NOT_FOUND, "File could not be found");
    }
    let name = url_decoded(&sanitized_name(file));
    let disposition = format!("attachment; filename=\"{}\"", utf8_percent_encode(&name, RESERVED));
    let copy = format!("sanitized copy of {}\n", file.upload.sha256);
    ([(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (header::CONTENT_DISPOSITION, disposition)], copy)
        .into_response()
}

/// `GET /file/webhook/{id}`: the latest attempt of the callback of a file or a batch.
pub(crate) async fn webhook(State(core): State<FakeCore>, Identifier(id): Identifier) -> Response {
    let mut state = core.state();
    let sessions = &state.sessions;
    if let Some(callback) = sessions.callbacks.get(&id) {
        let requested = callback.latest.map(|(at, _)| humantime::format_rfc3339_millis(at).to_string());
        return Json(json!({
            "data_id": id,
            "request_time": requested.unwrap_or_default(),
            "status_code": callback.latest.map_or(0, |(_, status)| status),
            "url": callback.url.to_string(),
        }))
        .into_response();
    }
    if sessions.time_left(&id).is_none() {
        return unknown_session(&core, &mut state, &id);
    }
    error_response(StatusCode::NOT_FOUND, "Not found")
}
