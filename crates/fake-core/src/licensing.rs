//! Handlers that show and change the license of a node: activation, and registration and nomination
//! of hot backups.
//!
//! The texts of most refusals are not documented; those here are made up.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::headers::as_sent;
use crate::license::License;
use crate::node::FakeCore;
use crate::response::{error_response, status_of};

// Texts of Core nodes.
const REGISTERED: &str = "The backup MetaDefender Core instance is now registered as a backup one.";
const REMOVED: &str = "This MetaDefender Core instance is no longer registered as a backup one.";
const NOT_REMOVED: &str = "Failed to remove backup license";
const NOMINATED: &str = "This MetaDefender Core instance is now fully activated and allowed to process files.";

fn success(message: &str) -> Response {
    Json(json!({ "success": message })).into_response()
}

/// `GET /admin/license`.
pub(crate) async fn show_license(State(core): State<FakeCore>) -> Json<Value> {
    let license = core.state().license;
    let is_licensed = license != License::Unlicensed;
    Json(json!({
        "days_left": if is_licensed { 365 } else { 0 },
        "deployment": core.deployment_id(),
        "expiration": "12/31/2099",
        "licensed_engines": if is_licensed { "*" } else { "" },
        "licensed_to": "evenkeel fake-core",
        "max_node_count": "1",
        "online_activated": is_licensed && license != License::Backup { is_online: false },
        "product_id": "MSCL-4-unlimited",
        "product_name": "MetaDefender Core 5 Linux",
    }))
}

/// `POST /admin/license/activation`.
pub(crate) async fn activate(State(core): State<FakeCore>, body: Bytes) -> Response {
    let request = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    let has_key = request["activationKey"].as_str().is_some_and(|key| !key.is_empty());
    let mut state = core.state();
    if !has_key {
        return error_response(StatusCode::BAD_REQUEST, "activationKey is missing");
    }
    if matches!(state.license, License::Backup { .. }) {
        return error_response(StatusCode::BAD_REQUEST, "A backup instance cannot be activated: nominate it");
    }
    state.license = License::Active;
    Json(json!({ "success": true })).into_response()
}

/// `GET /admin/license/backup`.
pub(crate) async fn backup_status(State(core): State<FakeCore>) -> Json<Value> {
    Json(json!({ "is_backup": matches!(core.state().license, License::Backup { .. }) }))
}

/// `POST /admin/license/backup`: by the headers `activation-key` and `active-deployment-id`, or,
/// offline, by a license file in the body.
pub(crate) async fn register_backup(State(core): State<FakeCore>, headers: HeaderMap, body: Bytes) -> Response {
    let active_deployment = as_sent(&headers, "active-deployment-id");
    let is_online = as_sent(&headers, "activation-key").is_some() && active_deployment.is_some();
    let refused = |why| error_response(StatusCode::BAD_REQUEST, why);
    let mut state = core.state();
    if state.license == License::Active {
        return refused("An active instance cannot be registered as a backup one");
    }
    if active_deployment.is_some_and(|id| id == core.deployment_id()) {
        return refused("An instance cannot be the backup of itself");
    }
    if !is_online && body.is_empty() {
        return refused("activation-key or active-deployment-id is missing");
    }
    state.license = License::Backup { is_online };
    success(REGISTERED)
}

/// `DELETE /admin/license/backup`.
pub(crate) async fn unregister_backup(State(core): State<FakeCore>) -> Response {
    let mut state = core.state();
    if !matches!(state.license, License::Backup { .. }) {
        return error_response(StatusCode::BAD_REQUEST, NOT_REMOVED);
    }
    state.license = License::Unlicensed;
    success(REMOVED)
}

/// `POST /admin/license/backup/nomination`.
pub(crate) async fn nominate_backup(State(core): State<FakeCore>) -> Response {
    let mut state = core.state();
    let status = status_of(state.faults.nomination);
    if !status.is_success() {
        return error_response(status, "Nomination failed");
    }
    match state.license {
        License::Backup { is_online: true } => {
            state.license = License::Active;
            success(NOMINATED)
        }
        License::Backup { is_online: false } => {
            error_response(StatusCode::BAD_REQUEST, "A backup instance that was registered offline cannot be nominated")
        }
        License::Active | License::Unlicensed => error_response(StatusCode::BAD_REQUEST, "Not a backup instance"),
    }
}
