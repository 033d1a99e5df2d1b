//! Handlers of single files and batches, with the status codes and texts of Core nodes.
//!
//! Identifiers that this node does not have are counted and answered as real nodes do.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::json;

use crate::connection::ConnectionHandle;
use crate::license::License;
use crate::node::{FakeCore, NodeState};
use crate::response::{error_response, status_of};
use crate::store::{Batch, File};
use crate::upload::{self, UploadEnd};

// Texts of Core nodes.
const BUSY: &str = "Server is too busy. Try again later.";
const FAILED: &str = "Failed to request scan. Try again later.";
const DENIED: &str = "Access denied";
const EXPIRED: &str = "License is expired";

/// Length in bytes of the made-up signature of a signed result, close to that of real ones.
const SIGNATURE_LENGTH: usize = 4096;

/// The response to an upload or a new batch if the node refuses it.
fn refusal(state: &NodeState) -> Option<Response> {
    let status = status_of(state.faults.scan);
    let text = match status {
        StatusCode::SERVICE_UNAVAILABLE => BUSY,
        StatusCode::FORBIDDEN => DENIED,
        _ => FAILED,
    };
    if state.faults.license_expired || state.license != License::Active {
        Some(error_response(StatusCode::INTERNAL_SERVER_ERROR, EXPIRED))
    } else if !status.is_success() {
        Some(error_response(status, text))
    } else if state.sessions.scans_in_progress() >= state.faults.queue {
        Some(error_response(StatusCode::SERVICE_UNAVAILABLE, BUSY))
    } else {
        None
    }
}

/// The response to an upload whose batch is closed or unknown. Counts an unknown batch.
fn batch_refusal(core: &FakeCore, state: &mut NodeState, batch: &str) -> Option<Response> {
    match state.sessions.batches.get(batch) {
        Some(batch) if !batch.is_closed => None,
        Some(_) => Some(error_response(StatusCode::BAD_REQUEST, "Batch is closed.")),
        None => {
            core.count_unknown_session(state, batch);
            Some(error_response(StatusCode::BAD_REQUEST, "Cannot scan batch in another instance."))
        }
    }
}

/// `POST /file`.
pub(crate) async fn submit_file(
    State(core): State<FakeCore>,
    Extension(connection): Extension<ConnectionHandle>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if header(header::CONTENT_LENGTH.as_str()).is_none() {
        return error_response(StatusCode::LENGTH_REQUIRED, "Missing Content-Length header.");
    }
    let batch = header("batch");
    let limit = {
        let mut state = core.state();
        let refused = batch.as_deref().and_then(|batch| batch_refusal(&core, &mut state, batch));
        if let Some(response) = refused.or_else(|| refusal(&state)) {
            return response;
        }
        state.faults.reset_after
    };
    let upload = match upload::read(body, limit).await {
        Ok(UploadEnd::Complete(upload)) => upload,
        Ok(UploadEnd::LimitReached) => {
            connection.reset();
            // The reset ends the task of this connection, and this future with it.
            return std::future::pending().await;
        }
        Err(_) => return error_response(StatusCode::BAD_REQUEST, FAILED),
    };
    if upload.size == 0 {
        return error_response(StatusCode::UNPROCESSABLE_ENTITY, "File is empty.");
    }
    let id = core.new_id();
    let name = header("filename").unwrap_or_else(|| "unknown".to_owned());
    let rule = header("rule").unwrap_or_else(|| "File process".to_owned());
    let mut state = core.state();
    let scan_duration = Duration::from_millis(state.faults.scan_ms);
    state.sessions.files.insert(id.clone(), File::new(name, rule, upload, scan_duration));
    state.counters.uploads += 1;
    match batch.and_then(|batch| state.sessions.batches.get_mut(&batch)) {
        Some(batch) => batch.files.push(id.clone()),
        None => state.counters.sessions += 1,
    }
    Json(json!({ "data_id": id })).into_response()
}

/// `GET /file/{data_id}`.
pub(crate) async fn file_status(State(core): State<FakeCore>, Path(id): Path<String>) -> Response {
    let mut state = core.state();
    match state.sessions.files.get(&id) {
        Some(file) => Json(file.to_json(&id)).into_response(),
        None => not_found(&core, &mut state, &id),
    }
}

/// The response to an unknown identifier: real nodes send it with status 200. Counts the request.
fn not_found(core: &FakeCore, state: &mut NodeState, id: &str) -> Response {
    core.count_unknown_session(state, id);
    let mut body = serde_json::Map::new();
    body.insert(id.to_owned(), "Not Found".into());
    Json(body).into_response()
}

/// `POST /file/batch`.
pub(crate) async fn open_batch(State(core): State<FakeCore>) -> Response {
    let mut state = core.state();
    if let Some(response) = refusal(&state) {
        return response;
    }
    let id = core.new_id();
    state.sessions.batches.insert(id.clone(), Batch::default());
    state.counters.sessions += 1;
    Json(json!({ "batch_id": id })).into_response()
}

/// `GET /file/batch/{id}`.
pub(crate) async fn batch_status(State(core): State<FakeCore>, Path(id): Path<String>) -> Response {
    let mut state = core.state();
    match state.sessions.batches.get(&id) {
        Some(batch) => Json(state.sessions.batch_to_json(&id, batch)).into_response(),
        None => not_found(&core, &mut state, &id),
    }
}

/// `POST /file/batch/{id}/close`. Refused until all files of the batch are scanned.
pub(crate) async fn close_batch(State(core): State<FakeCore>, Path(id): Path<String>) -> Response {
    let mut state = core.state();
    let Some(batch) = state.sessions.batches.get(&id) else { return not_found(&core, &mut state, &id) };
    if !state.sessions.is_scanned(batch) {
        return error_response(StatusCode::CONFLICT, "Batch has files that are still in progress.");
    }
    if let Some(batch) = state.sessions.batches.get_mut(&id) {
        batch.is_closed = true;
    }
    match state.sessions.batches.get(&id) {
        Some(batch) => Json(state.sessions.batch_to_json(&id, batch)).into_response(),
        None => not_found(&core, &mut state, &id),
    }
}

/// `POST /file/batch/{id}/cancel`.
pub(crate) async fn cancel_batch(State(core): State<FakeCore>, Path(id): Path<String>) -> Response {
    let mut state = core.state();
    let Some(batch) = state.sessions.batches.get_mut(&id) else { return not_found(&core, &mut state, &id) };
    (batch.is_cancelled, batch.is_closed) = (true, true);
    for file in batch.files.clone() {
        if let Some(file) = state.sessions.files.get_mut(&file) {
            file.cancel();
        }
    }
    state.counters.cancelled += 1;
    let mut body = serde_json::Map::new();
    body.insert(id, "cancelled".into());
    Json(body).into_response()
}

/// `GET /file/batch/{id}/certificate`: the signed result of a closed batch.
pub(crate) async fn batch_certificate(State(core): State<FakeCore>, Path(id): Path<String>) -> Response {
    let mut state = core.state();
    let Some(batch) = state.sessions.batches.get(&id) else { return not_found(&core, &mut state, &id) };
    if !batch.is_closed {
        return error_response(StatusCode::BAD_REQUEST, "Batch is not closed.");
    }
    let text = format!(
        "---\nbatch_id: {id}\nbatch_count: {}\nresult: {}\n...\nsignature: {}\ncertificate: fake\n",
        batch.files.len(),
        state.sessions.batch_result(batch).text(),
        "f".repeat(SIGNATURE_LENGTH),
    );
    ([(header::CONTENT_TYPE, "text/plain")], text).into_response()
}
