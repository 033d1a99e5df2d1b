//! `/_fake`: faults and counters, for the test that uses the node.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONNECTION;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use tokio::sync::oneshot;

use crate::connection::ConnectionHandle;
use crate::faults::FaultsUpdate;
use crate::node::FakeCore;
use crate::outage::OutageRequest;
use crate::response::error_response;

/// `GET /_fake`: faults and counters in one object.
pub(crate) async fn show_faults(State(core): State<FakeCore>) -> Response {
    let state = core.state();
    let both = [serde_json::to_value(state.faults), serde_json::to_value(state.counters)];
    let members = both.into_iter().flatten().filter_map(|value| value.as_object().cloned()).flatten();
    Json(members.collect::<serde_json::Map<_, _>>()).into_response()
}

/// `PUT /_fake`: sets faults and returns all of them. The body needs no Content-Type, so that
/// `curl -d` works.
pub(crate) async fn set_faults(
    State(core): State<FakeCore>,
    Extension(connection): Extension<ConnectionHandle>,
    body: String,
) -> Response {
    let update = match FaultsUpdate::parse(&body) {
        Ok(update) => update,
        Err(error) => return error_response(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let (faults, outages) = {
        let mut state = core.state();
        match state.faults.updated(&update) {
            Ok(faults) => state.faults = faults,
            Err(error) => return error_response(StatusCode::BAD_REQUEST, &error.to_string()),
        }
        (state.faults, state.outages.clone())
    };
    if let (Some(outage), Some(outages)) = (update.outage, outages) {
        let (started, has_started) = oneshot::channel();
        let sent = outages.try_send(OutageRequest { outage, requested_on: connection, started });
        // The response waits for the start: a client that has it finds the node unreachable.
        if sent.is_err() || has_started.await.is_err() {
            return error_response(StatusCode::CONFLICT, "another outage has begun");
        }
        return ([(CONNECTION, "close")], Json(faults)).into_response();
    }
    Json(faults).into_response()
}
