//! Handlers of everything but scans: readiness, hot backup, and what a node reports of itself.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::node::FakeCore;
use crate::response::{error_response, status_of};

/// The `threshold` member of `/readyz`, as real nodes report it.
const QUEUE_THRESHOLD: usize = 80;

/// `GET /readyz`. The body is always that of `?verbose=true`.
pub(crate) async fn readyz(State(core): State<FakeCore>) -> Response {
    let state = core.state();
    let faults = state.faults;
    // The node is ready in even periods of `flap_ms` and not ready in odd ones.
    let is_odd_period = faults.flap_ms > 0 && (core.created.elapsed().as_millis() as u64 / faults.flap_ms) % 2 == 1;
    let status = status_of(if is_odd_period || faults.license_expired { 503 } else { faults.readyz });
    // A node that is not ready reports a full queue, unless its license is the reason.
    let is_queue_ok = status.is_success() || faults.license_expired;
    let queued = if is_queue_ok { state.sessions.scans_in_progress() } else { faults.queue };
    let body = json!({
        "database": { "status": true },
        "license": { "status": if faults.license_expired { "expired" } else { "ok" } },
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
    Json(json!({ "version": "5.0.0-fake", "product_id": "MSCL" }))
}

/// `POST /login`: accepts all credentials.
pub(crate) async fn login() -> Json<Value> {
    let token = || format!("{:016x}", fastrand::u64(..));
    Json(json!({ "oms-csrf-token": token(), "session_id": token() }))
}

/// `GET /stat/nodes`.
pub(crate) async fn stat_nodes(State(core): State<FakeCore>) -> Json<Value> {
    let scans = core.state().sessions.scans_in_progress();
    let node = json!({
        "id": core.name.to_str().unwrap_or_default(),
        "scan_queue": scans,
        "load": 0,
        "free_disk_space": 1_000_000_000,
    });
    Json(json!({ "statuses": [node], "total_scan_queue": scans }))
}

/// `GET /admin/license/backup`.
pub(crate) async fn backup_status(State(core): State<FakeCore>) -> Json<Value> {
    Json(json!({ "is_backup": core.state().is_backup }))
}

/// `POST /admin/license/backup`.
pub(crate) async fn register_backup(State(core): State<FakeCore>) -> Json<Value> {
    core.state().is_backup = true;
    Json(json!({ "is_backup": true }))
}

/// `DELETE /admin/license/backup`.
pub(crate) async fn unregister_backup(State(core): State<FakeCore>) -> Json<Value> {
    core.state().is_backup = false;
    Json(json!({ "is_backup": false }))
}

/// `POST /admin/license/backup/nomination`.
pub(crate) async fn nominate_backup(State(core): State<FakeCore>) -> Response {
    let mut state = core.state();
    let status = status_of(state.faults.nomination);
    if !status.is_success() {
        return error_response(status, "Nomination failed");
    }
    if !state.is_backup {
        return error_response(StatusCode::BAD_REQUEST, "Not a backup instance");
    }
    state.is_backup = false;
    Json(json!({ "is_backup": false })).into_response()
}
