//! Handlers of batches.

use std::time::SystemTime;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::time::Instant;

use crate::headers::{as_sent, decoded};
use crate::identifier::Identifier;
use crate::node::FakeCore;
use crate::report::{Page, batch_report, signed_result};
use crate::response::error_response;
use crate::rules::Rule;
use crate::sessions::{about, refusal, unknown_session};
use crate::store::Batch;
use crate::submission::{NO_CALLBACK, NO_RULE, callback_url};

/// Longest header `user-data` in bytes.
const MAX_USER_DATA: usize = 1024;

/// `POST /file/batch`.
pub(crate) async fn open_batch(State(core): State<FakeCore>, headers: HeaderMap) -> Response {
    let mut state = core.state();
    if let Some(response) = refusal(&mut state) {
        return response;
    }
    let Some(rule) = Rule::named(&headers, None) else {
        return error_response(StatusCode::INTERNAL_SERVER_ERROR, NO_RULE);
    };
    if as_sent(&headers, "user-data").is_some_and(|data| data.len() > MAX_USER_DATA) {
        return error_response(StatusCode::BAD_REQUEST, "user-data is too long");
    }
    let batch = Batch {
        files: Vec::new(),
        is_closed: false,
        is_cancelled: false,
        rule,
        user_agent: decoded(&headers, "user_agent").unwrap_or_default(),
        user_data: decoded(&headers, "user-data").unwrap_or_default(),
        opened: SystemTime::now(),
        start: Instant::now(),
    };
    let id = core.new_id();
    state.sessions.batches.insert(id.clone(), batch);
    state.counters.sessions += 1;
    Json(json!({ "batch_id": id })).into_response()
}

/// `GET /file/batch/{id}`: one page of its files, 50 unless the query says otherwise.
pub(crate) async fn batch_status(
    State(core): State<FakeCore>,
    Identifier(id): Identifier,
    page: Result<Query<Page>, QueryRejection>,
) -> Response {
    let Ok(Query(page)) = page else {
        return error_response(StatusCode::BAD_REQUEST, "first and size must be numbers");
    };
    let mut state = core.state();
    match state.sessions.batches.get(&id) {
        Some(batch) => Json(batch_report(&state.sessions, &id, batch, page)).into_response(),
        None => unknown_session(&core, &mut state, &id),
    }
}

/// `POST /file/batch/{id}/close`. Refused until all files of the batch are scanned, unless the
/// header `callbackurl` leaves it to the node to close the batch.
pub(crate) async fn close_batch(
    State(core): State<FakeCore>,
    Identifier(id): Identifier,
    headers: HeaderMap,
) -> Response {
    if headers.contains_key("callbackurl") {
        return close_batch_later(State(core), Identifier(id), headers).await;
    }
    let mut state = core.state();
    let Some(batch) = state.sessions.batches.get(&id) else { return unknown_session(&core, &mut state, &id) };
    if !state.sessions.is_scanned(batch) {
        // The status of this refusal is not documented.
        return error_response(StatusCode::BAD_REQUEST, "Batch has files that are still in progress.");
    }
    if let Some(batch) = state.sessions.batches.get_mut(&id) {
        batch.is_closed = true;
    }
    match state.sessions.batches.get(&id) {
        Some(batch) => Json(batch_report(&state.sessions, &id, batch, Page::default())).into_response(),
        None => unknown_session(&core, &mut state, &id),
    }
}

/// `POST /file/batch/{id}/close/callback`: the node closes the batch as soon as its files are
/// scanned, and sends the report.
pub(crate) async fn close_batch_later(
    State(core): State<FakeCore>,
    Identifier(id): Identifier,
    headers: HeaderMap,
) -> Response {
    {
        let mut state = core.state();
        let Some(batch) = state.sessions.batches.get(&id) else { return unknown_session(&core, &mut state, &id) };
        if batch.is_closed {
            return error_response(StatusCode::BAD_REQUEST, NO_CALLBACK);
        }
    }
    match callback_url(&headers) {
        Ok(Some(url)) => core.call_back(&id, url),
        Ok(None) => return error_response(StatusCode::FORBIDDEN, "No callback url given."),
        Err(()) => return error_response(StatusCode::BAD_REQUEST, NO_CALLBACK),
    }
    about(&id, "Callback url set")
}

/// `POST /file/batch/{id}/cancel`.
pub(crate) async fn cancel_batch(State(core): State<FakeCore>, Identifier(id): Identifier) -> Response {
    let mut state = core.state();
    if !state.sessions.batches.contains_key(&id) {
        return unknown_session(&core, &mut state, &id);
    }
    state.sessions.cancel_batch(&id);
    state.counters.cancelled += 1;
    core.scans_changed.notify_waiters();
    about(&id, "cancelled")
}

/// `GET /file/batch/{id}/certificate`: the signed result of a closed batch.
pub(crate) async fn batch_certificate(State(core): State<FakeCore>, Identifier(id): Identifier) -> Response {
    let mut state = core.state();
    let Some(batch) = state.sessions.batches.get(&id) else { return unknown_session(&core, &mut state, &id) };
    if !batch.is_closed {
        return error_response(StatusCode::BAD_REQUEST, "Batch is not closed.");
    }
    let text = signed_result(&state.sessions, &id, batch);
    ([(header::CONTENT_TYPE, "text/plain")], text).into_response()
}
