//! The routes of the REST API, and the faults that apply to all of them.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{get, post};

use crate::node::FakeCore;
use crate::response::error_response;
use crate::{admin, batches, control, files, licensing, rules, sessions};

/// Path of faults and counters. No fault but an outage applies to it.
const CONTROL_PATH: &str = "/_fake";

/// Paths that need no API key: real nodes answer probes and logins without one.
const OPEN_PATHS: [&str; 2] = ["/readyz", "/login"];

/// The handlers of all requests to a node.
pub(crate) fn router(core: FakeCore) -> Router {
    let common = axum::middleware::from_fn_with_state(core.clone(), apply_common_faults);
    Router::new()
        .route("/file", post(sessions::submit_file))
        .route("/file/rules", get(rules::list_rules))
        .route("/file/{id}", get(files::file_status))
        .route("/file/{id}/cancel", post(files::cancel))
        .route("/file/converted/{id}", get(files::converted))
        .route("/file/webhook/{id}", get(files::webhook))
        .route("/hash/{hash}", get(files::by_hash))
        .route("/file/batch", post(batches::open_batch))
        .route("/file/batch/{id}", get(batches::batch_status))
        .route("/file/batch/{id}/close", post(batches::close_batch))
        .route("/file/batch/{id}/close/callback", post(batches::close_batch_later))
        .route("/file/batch/{id}/cancel", post(batches::cancel_batch))
        .route("/file/batch/{id}/certificate", get(batches::batch_certificate))
        .route("/readyz", get(admin::readyz))
        .route("/version", get(admin::version))
        .route("/stat/nodes", get(admin::stat_nodes))
        .route("/login", post(admin::login))
        .route("/logout", post(admin::logout))
        .route("/admin/license", get(licensing::show_license))
        .route("/admin/license/activation", post(licensing::activate))
        .route(
            "/admin/license/backup",
            get(licensing::backup_status).post(licensing::register_backup).delete(licensing::unregister_backup),
        )
        .route("/admin/license/backup/nomination", post(licensing::nominate_backup))
        .route(CONTROL_PATH, get(control::show_faults).put(control::set_faults))
        .fallback(|| async { error_response(StatusCode::NOT_FOUND, "Endpoint not found") })
        .method_not_allowed_fallback(|| async { error_response(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed") })
        .layer(DefaultBodyLimit::disable())
        .layer(common)
        .with_state(core)
}

/// Counts a request, applies the faults `slow_ms` and `hang`, and checks its API key. Adds
/// `X-Core-Id` to the response.
async fn apply_common_faults(State(core): State<FakeCore>, request: Request, next: Next) -> Response {
    let mut response = if request.uri().path() == CONTROL_PATH {
        next.run(request).await
    } else {
        let faults = {
            let mut state = core.state();
            state.counters.requests += 1;
            state.faults
        };
        // A sleep of zero lasts until the next tick of the timer, which is a millisecond.
        if faults.slow_ms > 0 {
            tokio::time::sleep(Duration::from_millis(faults.slow_ms)).await;
        }
        if faults.hang {
            std::future::pending::<()>().await;
        }
        let needs_key = !OPEN_PATHS.contains(&request.uri().path());
        let key = request.headers().get("apikey");
        let is_login = |key: &HeaderValue| key.to_str().is_ok_and(|key| core.state().logins.contains(key));
        let has_key = core.apikey.as_ref().is_none_or(|own| key == Some(own) || key.is_some_and(is_login));
        if needs_key && !has_key {
            error_response(StatusCode::FORBIDDEN, "Access denied")
        } else {
            next.run(request).await
        }
    };
    response.headers_mut().insert("x-core-id", core.name.clone());
    response
}
