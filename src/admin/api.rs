//! The HTTP API, `/v1`, JSON.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /v1/status` | returns the state of the server |
//! | `GET /v1/events?after=0&run=0&limit=100&wait=20` | returns events; if there is none, waits this many seconds for one |
//! | `PUT /v1/overrides/POOL/NODE` | sets an override: `{"state": "drain", "by": "ops", "why": "", "seconds": null, "force": false}` |
//! | `DELETE /v1/overrides/POOL/NODE?by=ops` | removes it |
//! | `PUT /v1/nominations/POOL/NODE` | makes a backup active: `{"by": "ops", "why": "", "replaces": null, "seconds": null, "force": false, "without_action": false}` |
//! | `DELETE /v1/nominations/POOL/NODE?by=ops&force=false&without_action=false` | makes it a backup again |
//!
//! A refused request gets `{"err": "…"}`. A request that cannot be parsed gets a line of text.

use std::time::Duration;

use axum::extract::{self, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use evenkeel_core::actor::Actor;
use evenkeel_core::node_id::NodeId;
use evenkeel_core::overrides::Override;
use evenkeel_core::pool::ForcedState;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::error::AdminError;
use super::role_request::{RoleChange, RoleRequest};
use super::service::AdminService;
use super::timeouts::LONGEST_EVENT_WAIT;
use crate::clock::unix_now;

/// Longest `by` and `why`, in characters.
const LONGEST_TEXT: usize = 200;

/// Events per response, unless the request says otherwise.
const DEFAULT_EVENTS: usize = 100;

/// Body of a request to set an override.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OverrideBody {
    pub(super) state: ForcedState,
    pub(super) by: String,
    #[serde(default)]
    pub(super) why: String,
    /// How long it lasts. Without this, it lasts until it is removed.
    #[serde(default)]
    pub(super) seconds: Option<u64>,
    #[serde(default)]
    pub(super) force: bool,
}

/// Body of a request to nominate a backup.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NominationBody {
    pub(super) by: String,
    #[serde(default)]
    pub(super) why: String,
    /// The node of the pool that it replaces.
    #[serde(default)]
    pub(super) replaces: Option<String>,
    /// How long it lasts. Without this, it lasts until the node is demoted.
    #[serde(default)]
    pub(super) seconds: Option<u64>,
    #[serde(default)]
    pub(super) force: bool,
    #[serde(default)]
    pub(super) without_action: bool,
}

/// Query of a request to remove an override.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RemoveQuery {
    by: String,
}

/// Query of a request to demote a node.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DemoteQuery {
    by: String,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    without_action: bool,
}

/// Query of a request for events.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    /// Return events after this number. Without it, return the latest ones.
    after: Option<u64>,
    /// The run of the server that gave that number.
    run: Option<u64>,
    #[serde(default = "default_events")]
    limit: usize,
    /// Seconds to wait for an event if there is none.
    #[serde(default)]
    wait: u64,
}

/// The default of `limit`.
fn default_events() -> usize {
    DEFAULT_EVENTS
}

/// Routes that only read.
pub(super) fn read_routes() -> Router<AdminService> {
    let not_found = || async { error(StatusCode::NOT_FOUND, "there is nothing at this path; see /v1/status") };
    Router::new().route("/v1/status", get(status)).route("/v1/events", get(events)).fallback(not_found)
}

/// All routes.
pub(super) fn all_routes() -> Router<AdminService> {
    read_routes()
        .route("/v1/overrides/{pool}/{node}", put(set_override).delete(remove_override))
        .route("/v1/nominations/{pool}/{node}", put(nominate).delete(demote))
}

async fn status(State(service): State<AdminService>) -> Response {
    respond(service.status().await.map(Json))
}

async fn events(State(service): State<AdminService>, Query(query): Query<EventsQuery>) -> Response {
    let EventsQuery { after, run, limit, wait } = query;
    let wait = Duration::from_secs(wait.min(LONGEST_EVENT_WAIT));
    Json(service.events(after, run, limit, wait).await).into_response()
}

async fn set_override(
    State(service): State<AdminService>,
    extract::Path((pool, node)): extract::Path<(String, String)>,
    Json(OverrideBody { state, by, why, seconds, force }): Json<OverrideBody>,
) -> Response {
    let by = match check_texts(by, &why, seconds) {
        Ok(by) => by,
        Err(problem) => return unprocessable(&problem),
    };
    let forced = Override { state, by, why, at: unix_now(), until: end_of(seconds) };
    respond(service.set_override(NodeId::new(&pool, &node), forced, force).await.map(|()| Json(json!({}))))
}

async fn remove_override(
    State(service): State<AdminService>,
    extract::Path((pool, node)): extract::Path<(String, String)>,
    Query(RemoveQuery { by }): Query<RemoveQuery>,
) -> Response {
    match check_texts(by, "", None) {
        Ok(by) => respond(service.remove_override(NodeId::new(&pool, &node), by).await.map(|()| Json(json!({})))),
        Err(problem) => unprocessable(&problem),
    }
}

async fn nominate(
    State(service): State<AdminService>,
    extract::Path((pool, node)): extract::Path<(String, String)>,
    Json(body): Json<NominationBody>,
) -> Response {
    let NominationBody { by, why, replaces, seconds, force, without_action } = body;
    let by = match check_texts(by, &why, seconds) {
        Ok(by) => by,
        Err(problem) => return unprocessable(&problem),
    };
    let (node, change) = (NodeId::new(&pool, &node), RoleChange::Nominate { replaces });
    let until = end_of(seconds);
    change_role(&service, RoleRequest { node, change, by, why, until, force, without_action, only_if_needed: false })
        .await
}

async fn demote(
    State(service): State<AdminService>,
    extract::Path((pool, node)): extract::Path<(String, String)>,
    Query(DemoteQuery { by, force, without_action }): Query<DemoteQuery>,
) -> Response {
    let by = match check_texts(by, "", None) {
        Ok(by) => by,
        Err(problem) => return unprocessable(&problem),
    };
    let (node, change, why) = (NodeId::new(&pool, &node), RoleChange::Demote, String::new());
    let until = None;
    change_role(&service, RoleRequest { node, change, by, why, until, force, without_action, only_if_needed: false })
        .await
}

/// Changes a role and responds.
async fn change_role(service: &AdminService, request: RoleRequest) -> Response {
    respond(service.change_role(request).await.map(|skipped| Json(json!({ "action_skipped": skipped }))))
}

/// The Unix time this many seconds from now, in seconds.
fn end_of(seconds: Option<u64>) -> Option<u64> {
    seconds.map(|seconds| unix_now().saturating_add(seconds))
}

/// Checks the texts of a request, which logs and terminals show. Returns the operator.
///
/// # Errors
/// What is wrong, and what is accepted.
fn check_texts(by: String, why: &str, seconds: Option<u64>) -> Result<Actor, String> {
    for (key, text) in [("by", &*by), ("why", why)] {
        if text.chars().count() > LONGEST_TEXT {
            return Err(format!("`{key}` is too long; accepted: {LONGEST_TEXT} characters"));
        }
        if text.chars().any(is_terminal_control) {
            return Err(format!("`{key}` holds control characters; accepted: one line of text"));
        }
    }
    if by.trim().is_empty() {
        return Err("`by` is empty; accepted: the name of the operator".to_owned());
    }
    if seconds == Some(0) {
        return Err("`seconds` is 0; accepted: 1 or more".to_owned());
    }
    Actor::operator(by).map_err(|reserved| reserved.to_string())
}

/// Returns true for characters that change how a terminal shows the rest of a line.
fn is_terminal_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Responds that a request has a wrong value.
fn unprocessable(problem: &str) -> Response {
    error(StatusCode::UNPROCESSABLE_ENTITY, problem)
}

/// Responds with the outcome, or with the status code of a refusal.
fn respond(outcome: Result<impl IntoResponse, AdminError>) -> Response {
    let refused = match outcome {
        Ok(response) => return response.into_response(),
        Err(refused) => refused,
    };
    let status = match refused {
        AdminError::NoSuchNode(_) | AdminError::NoOverride(_) => StatusCode::NOT_FOUND,
        AdminError::Role(_)
        | AdminError::Gone(_)
        | AdminError::AfterAction(..)
        | AdminError::TooFewNodes { .. }
        | AdminError::BackupNotUp { .. }
        | AdminError::PoolLocked(_)
        | AdminError::NotNeeded(_) => StatusCode::CONFLICT,
        AdminError::ActionFailed(_) => StatusCode::BAD_GATEWAY,
        AdminError::NotStored(_) | AdminError::Starting | AdminError::Ending(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    error(status, &refused.to_string())
}

/// A response with a reason.
pub(super) fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "err": message }))).into_response()
}
