//! All requests, and what happens to each of them.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{get, post};

use crate::node::FakeCore;
use crate::response::refused;
use crate::{admin, control, sessions};

/// Path of the faults: it works whatever is wrong.
const CONTROL: &str = "/_fake";

pub(crate) fn app(core: FakeCore) -> Router {
    let common = axum::middleware::from_fn_with_state(core.clone(), common);
    Router::new()
        .route("/file", post(sessions::scan))
        .route("/file/batch", post(sessions::open))
        .route("/file/{id}", get(sessions::poll))
        .route("/file/batch/{id}", get(sessions::status))
        .route("/file/batch/{id}/close", post(sessions::close))
        .route("/file/batch/{id}/cancel", post(sessions::cancel))
        .route("/file/batch/{id}/certificate", get(sessions::certificate))
        .route("/readyz", get(admin::readyz))
        .route("/version", get(admin::version))
        .route("/stat/nodes", get(admin::nodes))
        .route("/login", post(admin::login))
        .route("/admin/license/backup", get(admin::backup).post(admin::register).delete(admin::unregister))
        .route("/admin/license/backup/nomination", post(admin::nominate))
        .route(CONTROL, get(control::faults).put(control::set_faults))
        .fallback(|| async { refused(StatusCode::NOT_FOUND, "Endpoint not found") })
        .method_not_allowed_fallback(|| async { refused(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed") })
        .layer(DefaultBodyLimit::disable())
        .layer(common)
        .with_state(core)
}

/// What happens to every request: it is counted, delayed, left without an answer, or refused for want of the key. Faults can
/// be set in any case.
async fn common(State(core): State<FakeCore>, request: Request, next: Next) -> Response {
    let mut response = if request.uri().path() == CONTROL {
        next.run(request).await
    } else {
        let faults = {
            let mut now = core.now();
            now.counters.requests += 1;
            now.faults
        };
        tokio::time::sleep(Duration::from_millis(faults.slow_ms)).await;
        if faults.hang {
            std::future::pending::<()>().await;
        }
        // Probes need none, as with real nodes.
        let is_open = request.uri().path() == "/readyz";
        let is_known = core.apikey.as_ref().is_none_or(|key| request.headers().get("apikey") == Some(key));
        if is_open || is_known { next.run(request).await } else { refused(StatusCode::FORBIDDEN, "Access denied") }
    };
    response.headers_mut().insert("x-core-id", core.id.clone());
    response
}
