//! Handlers of what a node reports of itself, and of logins.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::engines;
use crate::license::License;
use crate::node::FakeCore;
use crate::response::{error_response, status_of};

/// The `threshold` member of `/readyz`, as real nodes report it.
const QUEUE_THRESHOLD: usize = 80;

/// The reported version.
const VERSION: &str = "5.0.0-fake";

/// User and password that `POST /login` accepts.
const CREDENTIALS: (&str, &str) = ("admin", "admin");

/// `GET /readyz`. The body is always that of `?verbose=true`.
pub(crate) async fn readyz(State(core): State<FakeCore>) -> Response {
    let mut state = core.state();
    let faults = state.faults;
    // The node is ready in even periods of `flap_ms` and not ready in odd ones.
    let is_odd_period = faults.flap_ms > 0 && (core.created.elapsed().as_millis() as u64 / faults.flap_ms) % 2 == 1;
    let license = match state.license {
        _ if faults.license_expired => "expired",
        License::Unlicensed => "invalid",
        License::Active | License::Backup { .. } => "ok",
    };
    let status = status_of(if is_odd_period || license != "ok" { 503 } else { faults.readyz });
    // A node that is not ready reports a full queue, unless its license is the reason.
    let is_queue_ok = status.is_success() || license != "ok";
    let queued = if is_queue_ok { state.sessions.scans_in_progress() } else { faults.queue };
    let body = json!({
        "database": { "status": true },
        "license": { "status": license },
        "scan_queue": {
            "max_number_in_queue": faults.queue,
            "number_in_queue": queued,
            "threshold": QUEUE_THRESHOLD,
            "status": is_queue_ok,
        },
        "number_active_av_engines": { "value": 5, "status": true },
        "engines": [],
    });
    (status, Json(body)).into_response()
}

/// `GET /version`.
pub(crate) async fn version() -> Json<Value> {
    Json(json!({ "version": VERSION, "product_id": "MSCL" }))
}

/// `POST /login`: starts a login, whose `session_id` is accepted in the header `apikey`.
pub(crate) async fn login(State(core): State<FakeCore>, body: Bytes) -> Response {
    let request = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    if (request["user"].as_str(), request["password"].as_str()) != (Some(CREDENTIALS.0), Some(CREDENTIALS.1)) {
        return error_response(StatusCode::FORBIDDEN, "Failed to login");
    }
    let (token, session_id) = (core.new_id(), core.new_id());
    core.state().logins.insert(session_id.clone());
    Json(json!({ "oms-csrf-token": token, "session_id": session_id })).into_response()
}

/// `POST /logout`.
pub(crate) async fn logout(State(core): State<FakeCore>, headers: HeaderMap) -> Response {
    let session_id = headers.get("apikey").and_then(|key| key.to_str().ok()).unwrap_or_default();
    if core.state().logins.remove(session_id) {
        Json(json!({ "response": "Logout success" })).into_response()
    } else {
        error_response(StatusCode::BAD_REQUEST, "Logout error")
    }
}

/// `GET /stat/nodes`.
pub(crate) async fn stat_nodes(State(core): State<FakeCore>) -> Json<Value> {
    let mut state = core.state();
    let (scans, queue) = (state.sessions.scans_in_progress(), state.faults.queue);
    let node = json!({
        "address": "",
        "available_mem": 2825,
        "cpu_cores": 8,
        "engines": engines::statuses(),
        "free_disk_space": 1_000_000_000,
        "id": core.name.to_str().unwrap_or_default(),
        "issues": [],
        "load": 0,
        "os": "Linux",
        "scan_queue": scans,
        "scan_queue_details": { "available_slots": queue.saturating_sub(scans), "total_scan_queue": queue },
        "total_disk_space": 2_000_000_000,
        "total_mem": 40_100,
        "total_scan_queue": queue,
        "uptime": core.created.elapsed().as_secs(),
        "version": VERSION,
    });
    Json(json!({ "external_nodes_allowed": false, "max_node_count": 1, "statuses": [node] }))
}
