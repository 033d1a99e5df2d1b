//! Errors in the form of Core nodes.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error in the form that Core nodes use.
pub(crate) fn refused(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "err": message }))).into_response()
}
