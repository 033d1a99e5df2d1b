//! The rest of a node's API: readiness, hot backup, what it says of itself, and the faults.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONNECTION;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::faults::NewFaults;
use super::gate::{Connection, OutageRequest};
use super::{FakeCore, refused};

/// Scans that may wait before a node calls itself busy, as in the answers of real nodes.
const THRESHOLD: usize = 80;

/// `GET /readyz`, always as verbose as with `?verbose=true`.
pub(super) async fn readyz(State(core): State<FakeCore>) -> Response {
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

pub(super) async fn version() -> Json<Value> {
    Json(json!({ "version": "5.0.0-fake", "product_id": "MSCL" }))
}

pub(super) async fn login() -> Json<Value> {
    let word = || format!("{:016x}", fastrand::u64(..));
    Json(json!({ "oms-csrf-token": word(), "session_id": word() }))
}

pub(super) async fn nodes(State(core): State<FakeCore>) -> Json<Value> {
    let now = core.now();
    let node = json!({
        "id": core.id.to_str().unwrap_or_default(),
        "scan_queue": now.store.under_way(),
        "load": 0,
        "free_disk_space": 1_000_000_000,
    });
    Json(json!({ "statuses": [node], "total_scan_queue": now.store.under_way() }))
}

pub(super) async fn backup(State(core): State<FakeCore>) -> Json<Value> {
    Json(json!({ "is_backup": core.now().is_backup }))
}

pub(super) async fn register(State(core): State<FakeCore>) -> Json<Value> {
    core.now().is_backup = true;
    Json(json!({ "is_backup": true }))
}

pub(super) async fn unregister(State(core): State<FakeCore>) -> Json<Value> {
    core.now().is_backup = false;
    Json(json!({ "is_backup": false }))
}

pub(super) async fn nominate(State(core): State<FakeCore>) -> Response {
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

/// `GET /_fake`: the faults, with what was counted beside them.
pub(super) async fn faults(State(core): State<FakeCore>) -> Response {
    let now = core.now();
    let both = [serde_json::to_value(now.faults), serde_json::to_value(now.counters)];
    let members = both.into_iter().flatten().filter_map(|value| value.as_object().cloned()).flatten();
    Json(members.collect::<serde_json::Map<_, _>>()).into_response()
}

/// `PUT /_fake`. Takes the body as it comes, so that `curl -d` works without a Content-Type.
pub(super) async fn set_faults(
    State(core): State<FakeCore>,
    Extension(connection): Extension<Connection>,
    body: String,
) -> Response {
    let new: NewFaults = match serde_json::from_str(&body) {
        Ok(new) => new,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let (faults, outages) = {
        let mut now = core.now();
        match now.faults.with(&new) {
            Ok(faults) => now.faults = faults,
            Err(why) => return refused(StatusCode::BAD_REQUEST, &why),
        }
        (now.faults, now.outages.clone())
    };
    if let (Some(outage), Some(outages)) = (new.outage, outages) {
        let (has_begun, begins) = oneshot::channel();
        // Whoever is answered finds the node away, also when it asks again on this connection.
        let asked = outages.try_send(OutageRequest { outage, connection, has_begun });
        if asked.is_err() || begins.await.is_err() {
            return refused(StatusCode::CONFLICT, "another outage has begun");
        }
        return ([(CONNECTION, "close")], Json(faults)).into_response();
    }
    Json(faults).into_response()
}
