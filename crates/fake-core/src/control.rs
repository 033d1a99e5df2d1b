//! `/_fake`: faults and counters, for the test that uses the node.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONNECTION;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::connection::ConnectionHandle;
use crate::faults::{Faults, FaultsUpdate};
use crate::license::License;
use crate::node::{Counters, FakeCore, NodeState};
use crate::outage::OutageRequest;
use crate::response::error_response;

/// Faults, and counters if requested, in one object.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    faults: Faults,
    unregistered: bool,
    #[serde(flatten)]
    counters: Option<Counters>,
}

impl Shown {
    fn faults(state: &NodeState) -> Self {
        Self { faults: state.faults, unregistered: state.license == License::Unlicensed, counters: None }
    }
}

/// `GET /_fake`.
pub(crate) async fn show_faults(State(core): State<FakeCore>) -> Response {
    let state = core.state();
    Json(Shown { counters: Some(state.counters), ..Shown::faults(&state) }).into_response()
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
            Ok(faults) => state.set(faults, &update),
            Err(error) => return error_response(StatusCode::BAD_REQUEST, &error.to_string()),
        }
        (Shown::faults(&state), state.outages.clone())
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
