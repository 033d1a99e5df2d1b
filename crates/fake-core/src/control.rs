//! Faults on request, and what was counted.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONNECTION;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use tokio::sync::oneshot;

use crate::connection::Connection;
use crate::faults::NewFaults;
use crate::node::FakeCore;
use crate::outage::OutageRequest;
use crate::response::refused;

/// `GET /_fake`: the faults, with what was counted beside them.
pub(crate) async fn faults(State(core): State<FakeCore>) -> Response {
    let now = core.now();
    let both = [serde_json::to_value(now.faults), serde_json::to_value(now.counters)];
    let members = both.into_iter().flatten().filter_map(|value| value.as_object().cloned()).flatten();
    Json(members.collect::<serde_json::Map<_, _>>()).into_response()
}

/// `PUT /_fake`. Takes the body as it comes, so that `curl -d` works without a Content-Type.
pub(crate) async fn set_faults(
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
