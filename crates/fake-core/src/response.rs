//! Responses that several handlers share.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error in the form of Core nodes: `{"err": "…"}`.
pub(crate) fn error_response(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "err": message }))).into_response()
}

/// The status code that a fault sets.
pub(crate) fn status_of(fault: u16) -> StatusCode {
    // `Faults` holds values from 200 to 999, which are all valid.
    StatusCode::from_u16(fault).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
