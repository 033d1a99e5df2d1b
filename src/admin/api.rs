//! The HTTP API, `/v1`, JSON.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /v1/status` | tells how everything stands |
//! | `PUT /v1/overrides/POOL/NODE` | says something of a node: `{"word": "drain", "by": "ops", "why": "", "seconds": null, "force": false}` |
//! | `DELETE /v1/overrides/POOL/NODE?by=ops` | takes it back |
//!
//! Errors are `{"err": "…"}`.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::{self, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::UnixListener;
use tokio_util::task::AbortOnDropHandle;

use super::operator::{Operator, Refused};
use crate::overrides::{Override, full_name, now};
use crate::pool::Word;

/// What is said of a node.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saying {
    pub(super) word: Word,
    pub(super) by: String,
    #[serde(default)]
    pub(super) why: String,
    /// For how long; for good without.
    #[serde(default)]
    pub(super) seconds: Option<u64>,
    #[serde(default)]
    pub(super) force: bool,
}

#[derive(Debug, Deserialize)]
struct By {
    by: String,
}

/// The open socket; it is closed and its file removed when this is dropped.
#[derive(Debug)]
pub struct Door {
    path: PathBuf,
    _serving: AbortOnDropHandle<()>,
    _expiring: AbortOnDropHandle<()>,
}

impl Drop for Door {
    fn drop(&mut self) {
        // Another server finds a file that nobody listens at and takes its place.
        let _ = fs::remove_file(&self.path);
    }
}

/// Opens the socket: its owner and group may write.
///
/// # Errors
/// The system's, or another server listens there.
pub async fn open(path: &Path, operator: Operator) -> io::Result<Door> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    if tokio::net::UnixStream::connect(path).await.is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server listens there"));
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    let operator = Arc::new(operator);
    let app = Router::new()
        .route("/v1/status", get(status))
        .route("/v1/overrides/{pool}/{node}", put(say).delete(take_back))
        .fallback(|| async { error(StatusCode::NOT_FOUND, "there is nothing at this path; see /v1/status") })
        .with_state(Arc::clone(&operator));
    let serving = tokio::spawn(async move {
        // Ends with its task.
        let _ = axum::serve(listener, app).await;
    });
    let expiring = tokio::spawn(async move { operator.expire().await });
    Ok(Door {
        path: path.to_owned(),
        _serving: AbortOnDropHandle::new(serving),
        _expiring: AbortOnDropHandle::new(expiring),
    })
}

async fn status(State(operator): State<Arc<Operator>>) -> Response {
    answer(operator.status().await.map(Json))
}

async fn say(
    State(operator): State<Arc<Operator>>,
    extract::Path((pool, node)): extract::Path<(String, String)>,
    Json(Saying { word, by, why, seconds, force }): Json<Saying>,
) -> Response {
    let at = now();
    let until = seconds.map(|seconds| at.saturating_add(seconds));
    let said = Override { word, by, why, at, until };
    answer(operator.say(&full_name(&pool, &node), said, force).await.map(|()| Json(json!({}))))
}

async fn take_back(
    State(operator): State<Arc<Operator>>,
    extract::Path((pool, node)): extract::Path<(String, String)>,
    Query(By { by }): Query<By>,
) -> Response {
    answer(operator.take_back(&full_name(&pool, &node), &by).await.map(|()| Json(json!({}))))
}

fn answer(outcome: Result<impl IntoResponse, Refused>) -> Response {
    let refused = match outcome {
        Ok(response) => return response.into_response(),
        Err(refused) => refused,
    };
    let status = match refused {
        Refused::NoSuchNode(_) | Refused::NothingSaid(_) => StatusCode::NOT_FOUND,
        Refused::TooFew(_) => StatusCode::CONFLICT,
        Refused::NotKept(_) | Refused::Ending(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    error(status, &refused.to_string())
}

fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "err": message }))).into_response()
}
