//! A Core node for the demo and for tests: readiness, and faults on request.
//!
//! | request | answer |
//! |---|---|
//! | `GET /readyz` | 200 or the status that was set, with the checks behind it as JSON |
//! | `GET /_fake` | the faults that are set |
//! | `PUT /_fake` | sets them from a JSON object; what is left out stays as it is |

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;

/// How a node misbehaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
struct Faults {
    /// Status of `/readyz`.
    readyz: u16,
}

/// The body of `PUT /_fake`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewFaults {
    readyz: Option<u16>,
}

/// A node.
#[derive(Clone, Debug)]
pub struct FakeCore {
    /// Told in the `X-Core-Id` header of every answer.
    id: HeaderValue,
    faults: Arc<Mutex<Faults>>,
}

impl FakeCore {
    /// A node that is ready. `id` holds visible ASCII characters only.
    ///
    /// # Panics
    /// When `id` cannot stand in a header.
    pub fn new(id: &'static str) -> Self {
        Self { id: HeaderValue::from_static(id), faults: Arc::new(Mutex::new(Faults { readyz: 200 })) }
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

    fn faults(&self) -> Faults {
        // The faults are a plain value: a panic elsewhere cannot have left them half set.
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn readyz(State(core): State<FakeCore>) -> Response {
    let status = StatusCode::from_u16(core.faults().readyz).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
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
    Json(core.faults())
}

/// Takes the body as it comes, so that `curl -d` works without a Content-Type.
async fn set_faults(State(core): State<FakeCore>, body: String) -> Response {
    let new: NewFaults = match serde_json::from_str(&body) {
        Ok(new) => new,
        Err(error) => {
            return refused(StatusCode::BAD_REQUEST, &format!("{error}; accepted: {{\"readyz\": STATUS}}"));
        }
    };
    if new.readyz.is_some_and(|status| !(200..=999).contains(&status)) {
        return refused(StatusCode::BAD_REQUEST, "readyz must be a status code from 200 to 999");
    }
    let mut faults = core.faults.lock().unwrap_or_else(PoisonError::into_inner);
    faults.readyz = new.readyz.unwrap_or(faults.readyz);
    Json(*faults).into_response()
}

/// An error in the form that Core nodes use.
fn refused(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "err": message }))).into_response()
}
