//! Single files and batches, with the status codes and words of Core nodes.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::json;

use crate::connection::Connection;
use crate::node::{FakeCore, Now};
use crate::response::refused;
use crate::store::{Batch, File};
use crate::upload::{self, Read};

const BUSY: &str = "Server is too busy. Try again later.";
const FAILED: &str = "Failed to request scan. Try again later.";
const DENIED: &str = "Access denied";
const EXPIRED: &str = "License is expired";

/// Length in bytes of the made-up signature of a signed result, about that of real ones.
const SIGNATURE: usize = 4096;

/// Why a node begins no session, if so.
fn refusal(now: &Now) -> Option<Response> {
    let status = StatusCode::from_u16(now.faults.scan).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let words = match status {
        StatusCode::SERVICE_UNAVAILABLE => BUSY,
        StatusCode::FORBIDDEN => DENIED,
        _ => FAILED,
    };
    if now.faults.license_expired {
        Some(refused(StatusCode::INTERNAL_SERVER_ERROR, EXPIRED))
    } else if now.is_backup {
        Some(refused(StatusCode::INTERNAL_SERVER_ERROR, FAILED))
    } else if !status.is_success() {
        Some(refused(status, words))
    } else if now.store.under_way() >= now.faults.queue {
        Some(refused(StatusCode::SERVICE_UNAVAILABLE, BUSY))
    } else {
        None
    }
}

/// `POST /file`.
pub(crate) async fn scan(
    State(core): State<FakeCore>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if text(header::CONTENT_LENGTH.as_str()).is_none() {
        return refused(StatusCode::LENGTH_REQUIRED, "Missing Content-Length header.");
    }
    let batch = text("batch");
    {
        let mut now = core.now();
        if let Some(id) = &batch {
            match now.store.batches.get(id) {
                Some(batch) if !batch.is_closed => {}
                Some(_) => return refused(StatusCode::BAD_REQUEST, "Batch is closed."),
                None => {
                    core.count_stranger(&mut now, id);
                    return refused(StatusCode::BAD_REQUEST, "Cannot scan batch in another instance.");
                }
            }
        }
        if let Some(refusal) = refusal(&now) {
            return refusal;
        }
    }
    let reset_after = core.now().faults.reset_after;
    let upload = match upload::read(body, reset_after).await {
        Ok(Read::Whole(upload)) => upload,
        Ok(Read::UpTo) => {
            connection.reset();
            return std::future::pending().await;
        }
        Err(_) => return refused(StatusCode::BAD_REQUEST, FAILED),
    };
    if upload.size == 0 {
        return refused(StatusCode::UNPROCESSABLE_ENTITY, "File is empty.");
    }
    let (id, name) = (core.new_id(), text("filename").unwrap_or_else(|| "unknown".to_owned()));
    let mut now = core.now();
    let takes = Duration::from_millis(now.faults.scan_ms);
    let file = File::new(name, text("rule").unwrap_or_else(|| "File process".to_owned()), upload, takes);
    now.store.files.insert(id.clone(), file);
    now.counters.uploads += 1;
    match batch.and_then(|batch| now.store.batches.get_mut(&batch)) {
        Some(batch) => batch.files.push(id.clone()),
        None => now.counters.sessions += 1,
    }
    Json(json!({ "data_id": id })).into_response()
}

/// `GET /file/{data_id}`.
pub(crate) async fn poll(State(core): State<FakeCore>, Path(id): Path<String>) -> Response {
    let mut now = core.now();
    match now.store.files.get(&id) {
        Some(file) => Json(file.shown(&id)).into_response(),
        None => not_found(&core, &mut now, &id),
    }
}

/// What nodes say of sessions that they do not know: with status 200.
fn not_found(core: &FakeCore, now: &mut Now, id: &str) -> Response {
    core.count_stranger(now, id);
    let mut body = serde_json::Map::new();
    body.insert(id.to_owned(), "Not Found".into());
    Json(body).into_response()
}

/// `POST /file/batch`.
pub(crate) async fn open(State(core): State<FakeCore>) -> Response {
    let mut now = core.now();
    if let Some(refusal) = refusal(&now) {
        return refusal;
    }
    let id = core.new_id();
    now.store.batches.insert(id.clone(), Batch::default());
    now.counters.sessions += 1;
    Json(json!({ "batch_id": id })).into_response()
}

/// `GET /file/batch/{id}`.
pub(crate) async fn status(State(core): State<FakeCore>, Path(id): Path<String>) -> Response {
    let mut now = core.now();
    match now.store.batches.get(&id) {
        Some(batch) => Json(now.store.shown_batch(&id, batch)).into_response(),
        None => not_found(&core, &mut now, &id),
    }
}

/// `POST /file/batch/{id}/close`: only when every file is processed.
pub(crate) async fn close(State(core): State<FakeCore>, Path(id): Path<String>) -> Response {
    let mut now = core.now();
    let Some(batch) = now.store.batches.get(&id) else { return not_found(&core, &mut now, &id) };
    if !now.store.is_processed(batch) {
        return refused(StatusCode::CONFLICT, "Batch has files that are still in progress.");
    }
    if let Some(batch) = now.store.batches.get_mut(&id) {
        batch.is_closed = true;
    }
    match now.store.batches.get(&id) {
        Some(batch) => Json(now.store.shown_batch(&id, batch)).into_response(),
        None => not_found(&core, &mut now, &id),
    }
}

/// `POST /file/batch/{id}/cancel`.
pub(crate) async fn cancel(State(core): State<FakeCore>, Path(id): Path<String>) -> Response {
    let mut now = core.now();
    let Some(batch) = now.store.batches.get_mut(&id) else { return not_found(&core, &mut now, &id) };
    (batch.is_cancelled, batch.is_closed) = (true, true);
    for file in batch.files.clone() {
        if let Some(file) = now.store.files.get_mut(&file) {
            file.cancel();
        }
    }
    now.counters.cancelled += 1;
    let mut body = serde_json::Map::new();
    body.insert(id, "cancelled".into());
    Json(body).into_response()
}

/// `GET /file/batch/{id}/certificate`: the signed result, of batches that are closed.
pub(crate) async fn certificate(State(core): State<FakeCore>, Path(id): Path<String>) -> Response {
    let mut now = core.now();
    let Some(batch) = now.store.batches.get(&id) else { return not_found(&core, &mut now, &id) };
    if !batch.is_closed {
        return refused(StatusCode::BAD_REQUEST, "Batch is not closed.");
    }
    let outcome = now.store.outcome_of(batch);
    let text = format!(
        "---\nbatch_id: {id}\nbatch_count: {}\nresult: {}\n...\nsignature: {}\ncertificate: fake\n",
        batch.files.len(),
        outcome.word(),
        "f".repeat(SIGNATURE),
    );
    ([(header::CONTENT_TYPE, "text/plain")], text).into_response()
}
