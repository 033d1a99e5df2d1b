//! A Core node for the demo and for tests: readiness, hot backup, and faults on request.
//!
//! | request | answer |
//! |---|---|
//! | `GET /readyz` | 200 or the status that was set, with the checks behind it as JSON |
//! | `GET /admin/license/backup` | whether it is a hot backup |
//! | `POST /admin/license/backup` | makes it one |
//! | `DELETE /admin/license/backup` | makes it an ordinary node |
//! | `POST /admin/license/backup/nomination` | makes an active node of a hot backup, or 400 |
//! | `GET /_fake` | the faults that are set |
//! | `PUT /_fake` | sets them from a JSON object; what is left out stays as it is |
//!
//! A hot backup says that it is ready all the same: what real ones say is not known, and this is the harder case.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// How a node misbehaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
struct Faults {
    /// Status of `/readyz`.
    readyz: u16,
    /// Status of a nomination; anything but success changes nothing.
    nomination: u16,
}

/// What a node is at the moment.
#[derive(Clone, Copy, Debug)]
struct Now {
    faults: Faults,
    is_backup: bool,
}

/// The body of `PUT /_fake`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewFaults {
    readyz: Option<u16>,
    nomination: Option<u16>,
}

/// A node.
#[derive(Clone, Debug)]
pub struct FakeCore {
    /// Told in the `X-Core-Id` header of every answer.
    id: HeaderValue,
    now: Arc<Mutex<Now>>,
}

impl FakeCore {
    /// A node that is ready. `id` holds visible ASCII characters only.
    ///
    /// # Panics
    /// When `id` cannot stand in a header.
    pub fn new(id: &'static str) -> Self {
        let now = Now { faults: Faults { readyz: 200, nomination: 200 }, is_backup: false };
        Self { id: HeaderValue::from_static(id), now: Arc::new(Mutex::new(now)) }
    }

    /// The same as a hot backup.
    #[must_use]
    pub fn as_backup(self) -> Self {
        self.now().is_backup = true;
        self
    }

    /// Answers on an address from now on, in a task of its own; gives the address.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn listen(self, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let id = self.id.clone();
        let app = Router::new()
            .route("/readyz", get(readyz))
            .route("/admin/license/backup", get(backup).post(register).delete(unregister))
            .route("/admin/license/backup/nomination", post(nominate))
            .route("/_fake", get(faults).put(set_faults))
            .fallback(|| async { refused(StatusCode::NOT_FOUND, "Endpoint not found") })
            .with_state(self)
            .layer(axum::middleware::map_response(move |mut response: Response| {
                response.headers_mut().insert("x-core-id", id.clone());
                std::future::ready(response)
            }));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(address)
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        // A plain value: a panic elsewhere cannot have left it half set.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn backup(State(core): State<FakeCore>) -> Json<Value> {
    Json(json!({ "is_backup": core.now().is_backup }))
}

async fn register(State(core): State<FakeCore>) -> Json<Value> {
    core.now().is_backup = true;
    Json(json!({ "is_backup": true }))
}

async fn unregister(State(core): State<FakeCore>) -> Json<Value> {
    core.now().is_backup = false;
    Json(json!({ "is_backup": false }))
}

async fn nominate(State(core): State<FakeCore>) -> Response {
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

async fn readyz(State(core): State<FakeCore>) -> Response {
    let status = StatusCode::from_u16(core.now().faults.readyz).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let ready = status.is_success();
    let queued = if ready { 80 } else { 1500 };
    let body = json!({
        "database": { "status": true },
        "license": { "status": "ok" },
        "scan_queue": { "max_number_in_queue": 1500, "number_in_queue": queued, "threshold": 80, "status": ready },
        "number_active_av_engines": { "value": 5, "status": true },
    });
    (status, Json(body)).into_response()
}

async fn faults(State(core): State<FakeCore>) -> Json<Faults> {
    Json(core.now().faults)
}

/// Takes the body as it comes, so that `curl -d` works without a Content-Type.
async fn set_faults(State(core): State<FakeCore>, body: String) -> Response {
    let new: NewFaults = match serde_json::from_str(&body) {
        Ok(new) => new,
        Err(error) => {
            return refused(
                StatusCode::BAD_REQUEST,
                &format!("{error}; accepted: {{\"readyz\": STATUS, \"nomination\": STATUS}}"),
            );
        }
    };
    for (name, status) in [("readyz", new.readyz), ("nomination", new.nomination)] {
        if status.is_some_and(|status| !(200..=999).contains(&status)) {
            return refused(StatusCode::BAD_REQUEST, &format!("{name} must be a status code from 200 to 999"));
        }
    }
    let mut now = core.now();
    let faults = &mut now.faults;
    faults.readyz = new.readyz.unwrap_or(faults.readyz);
    faults.nomination = new.nomination.unwrap_or(faults.nomination);
    Json(*faults).into_response()
}

/// An error in the form that Core nodes use.
fn refused(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "err": message }))).into_response()
}
