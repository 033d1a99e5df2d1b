//! The rest of a node's API: readiness, hot backup, what it says of itself.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::node::FakeCore;
use crate::response::refused;

/// Scans that may wait before a node calls itself busy, as in the answers of real nodes.
const THRESHOLD: usize = 80;

/// `GET /readyz`, always as verbose as with `?verbose=true`.
pub(crate) async fn readyz(State(core): State<FakeCore>) -> Response {
    let now = core.now();
    let faults = now.faults;
    // In turn from the beginning.
    let is_flapped = faults.flap_ms > 0 && (core.began.elapsed().as_millis() as u64 / faults.flap_ms) % 2 == 1;
    let status = if is_flapped || faults.license_expired { 503 } else { faults.readyz };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let ready = status.is_success();
    let is_queue_ok = ready || faults.license_expired;
    let queued = if is_queue_ok { now.store.under_way() } else { faults.queue };
    let body = json!({
        "database": { "status": true },
        "license": { "status": if faults.license_expired { "expired" } else { "ok" } },
        "scan_queue": {
            "max_number_in_queue": faults.queue,
            "number_in_queue": queued,
            "threshold": THRESHOLD,
            "status": is_queue_ok,
        },
        "number_active_av_engines": { "value": 5, "status": true },
        "engines": [],
    });
    (status, Json(body)).into_response()
}

pub(crate) async fn version() -> Json<Value> {
    Json(json!({ "version": "5.0.0-fake", "product_id": "MSCL" }))
}

pub(crate) async fn login() -> Json<Value> {
    let word = || format!("{:016x}", fastrand::u64(..));
    Json(json!({ "oms-csrf-token": word(), "session_id": word() }))
}

pub(crate) async fn nodes(State(core): State<FakeCore>) -> Json<Value> {
    let now = core.now();
    let node = json!({
        "id": core.id.to_str().unwrap_or_default(),
        "scan_queue": now.store.under_way(),
        "load": 0,
        "free_disk_space": 1_000_000_000,
    });
    Json(json!({ "statuses": [node], "total_scan_queue": now.store.under_way() }))
}

pub(crate) async fn backup(State(core): State<FakeCore>) -> Json<Value> {
    Json(json!({ "is_backup": core.now().is_backup }))
}

pub(crate) async fn register(State(core): State<FakeCore>) -> Json<Value> {
    core.now().is_backup = true;
    Json(json!({ "is_backup": true }))
}

pub(crate) async fn unregister(State(core): State<FakeCore>) -> Json<Value> {
    core.now().is_backup = false;
    Json(json!({ "is_backup": false }))
}

pub(crate) async fn nominate(State(core): State<FakeCore>) -> Response {
    let mut now = core.now();
    let status = StatusCode::from_u16(now.faults.nomination).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if !status.is_success() {
        return refused(status, "Nomination failed");
    }
    if !now.is_backup {
        return refused(StatusCode::BAD_REQUEST, "Not a backup instance");
    }
    now.is_backup = false;
    Json(json!({ "is_backup": false })).into_response()
}
