//! `POST /file`, and what the handlers of sessions share: refusals, and the response to identifiers
//! that a node does not have.
//!
//! Status codes and texts are those of Core nodes.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::connection::ConnectionHandle;
use crate::headers::as_sent;
use crate::license::License;
use crate::node::{FakeCore, NodeState};
use crate::response::{error_response, status_of};
use crate::store::File;
use crate::submission::Submission;
use crate::upload::{self, UploadEnd};

// Texts of Core nodes.
const BUSY: &str = "Server is too busy. Try again later.";
const FAILED: &str = "Failed to request scan. Try again later.";
const DENIED: &str = "Access denied";
const EXPIRED: &str = "License is expired";
const WRONG_BATCH: &str = "Can not scan in given batch.";
const CLOSED_BATCH: &str = "Batch closed during file upload.";

/// The response to an upload or a new batch if the node refuses it.
pub(crate) fn refusal(state: &mut NodeState) -> Option<Response> {
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

/// The object `{"<id>": "<text>"}`, with which Core nodes answer some requests.
pub(crate) fn about(id: &str, text: &str) -> Response {
    Json(Value::Object([(id.to_owned(), text.into())].into_iter().collect())).into_response()
}

/// The response to most requests for an unknown identifier. Counts the request.
pub(crate) fn unknown_session(core: &FakeCore, state: &mut NodeState, id: &str) -> Response {
    core.count_unknown_session(state, id);
    error_response(StatusCode::NOT_FOUND, "Not found")
}

/// The response to an upload whose batch is closed or unknown. Counts an unknown batch.
fn batch_refusal(core: &FakeCore, state: &mut NodeState, batch: &str, closed: &str) -> Option<Response> {
    match state.sessions.batches.get(batch) {
        Some(batch) if !batch.is_closed => None,
        Some(_) => Some(error_response(StatusCode::BAD_REQUEST, closed)),
        None => {
            core.count_unknown_session(state, batch);
            Some(error_response(StatusCode::BAD_REQUEST, WRONG_BATCH))
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
    if !headers.contains_key(header::CONTENT_LENGTH) {
        return error_response(StatusCode::LENGTH_REQUIRED, "Missing Content-Length header.");
    }
    let batch = as_sent(&headers, "batch");
    let (submission, limit) = {
        let mut state = core.state();
        let refused = batch.as_deref().and_then(|batch| batch_refusal(&core, &mut state, batch, WRONG_BATCH));
        if let Some(response) = refused.or_else(|| refusal(&mut state)) {
            return response;
        }
        let batch = batch.as_ref().and_then(|batch| state.sessions.batches.get(batch));
        match Submission::read(&headers, batch.map(|batch| batch.rule)) {
            Ok(submission) => (submission, state.faults.reset_after),
            Err(response) => return *response,
        }
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
    let (id, callback) = (core.new_id(), submission.callback.clone());
    {
        let mut state = core.state();
        // The batch can have been closed while the file was on its way.
        let refused = batch.as_deref().and_then(|batch| batch_refusal(&core, &mut state, batch, CLOSED_BATCH));
        if let Some(response) = refused {
            return response;
        }
        let scan_duration = Duration::from_millis(state.faults.scan_ms);
        state.sessions.add_file(id.clone(), File::new(submission, upload, scan_duration));
        state.counters.uploads += 1;
        match batch.and_then(|batch| state.sessions.batches.get_mut(&batch)) {
            Some(batch) => batch.files.push(id.clone()),
            None => state.counters.sessions += 1,
        }
    }
    if let Some(url) = callback {
        core.call_back(&id, url);
    }
    Json(json!({ "data_id": id })).into_response()
}
