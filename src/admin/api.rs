//! The HTTP API, `/v1`, JSON.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /v1/status` | tells how everything stands |
//! | `GET /v1/events?after=0&run=0&limit=100&wait=20` | tells what happened; waits so many seconds when nothing has since then |
//! | `PUT /v1/overrides/POOL/NODE` | says something of a node: `{"word": "drain", "by": "ops", "why": "", "seconds": null, "force": false}` |
//! | `DELETE /v1/overrides/POOL/NODE?by=ops` | takes it back |
//! | `PUT /v1/nominations/POOL/NODE` | makes a backup active: `{"by": "ops", "why": "", "replaces": null, "seconds": null, "force": false}` |
//! | `DELETE /v1/nominations/POOL/NODE?by=ops&force=false` | makes it a backup again |
//!
//! What is refused for its content is told as `{"err": "…"}`; a request that is none of these in a line of text.

use std::time::Duration;

use axum::extract::{self, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::operator::{Operator, Refused};
use super::wish::{Step, Wish};
use crate::overrides::{Override, full_name, now};
use crate::pool::Word;

/// Longest `by` and `why`, in characters.
const LONGEST_TEXT: usize = 200;

/// Events in an answer, unless fewer or more are wanted.
const MOST_EVENTS: usize = 100;

/// Longest wait for an event, in seconds: within what connections have.
pub(super) const LONGEST_WAIT: u64 = 20;

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

/// A backup that is to be active.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nominating {
    pub(super) by: String,
    #[serde(default)]
    pub(super) why: String,
    /// The node of the pool that it replaces.
    #[serde(default)]
    pub(super) replaces: Option<String>,
    /// For how long; for good without.
    #[serde(default)]
    pub(super) seconds: Option<u64>,
    #[serde(default)]
    pub(super) force: bool,
    /// Change the role only, and leave out the action.
    #[serde(default)]
    pub(super) without_action: bool,
}

/// Who takes an override back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct By {
    by: String,
}

/// Who unregisters a node, and how.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unregistering {
    by: String,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    without_action: bool,
}

/// Which events somebody asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    /// Those after the one of this number; the last ones without.
    after: Option<u64>,
    /// The run of the server that gave that number.
    run: Option<u64>,
    #[serde(default = "most_events")]
    limit: usize,
    /// Seconds to wait when there is none.
    #[serde(default)]
    wait: u64,
}

fn most_events() -> usize {
    MOST_EVENTS
}

/// What only reads.
pub(super) fn reading() -> Router<Operator> {
    let not_found = || async { error(StatusCode::NOT_FOUND, "there is nothing at this path; see /v1/status") };
    Router::new().route("/v1/status", get(status)).route("/v1/events", get(events)).fallback(not_found)
}

/// That, and what changes something.
pub(super) fn writing() -> Router<Operator> {
    reading()
        .route("/v1/overrides/{pool}/{node}", put(say).delete(take_back))
        .route("/v1/nominations/{pool}/{node}", put(nominate).delete(unregister))
}

async fn status(State(operator): State<Operator>) -> Response {
    answer(operator.status().await.map(Json))
}

async fn events(State(operator): State<Operator>, Query(Since { after, run, limit, wait }): Query<Since>) -> Response {
    Json(operator.events(after, run, limit, Duration::from_secs(wait.min(LONGEST_WAIT))).await).into_response()
}

async fn say(
    State(operator): State<Operator>,
    extract::Path((pool, node)): extract::Path<(String, String)>,
    Json(Saying { word, by, why, seconds, force }): Json<Saying>,
) -> Response {
    if let Some(why) = unsound(&by, &why, seconds) {
        return error(StatusCode::UNPROCESSABLE_ENTITY, &why);
    }
    let said = Override { word, by, why, at: now(), until: end_of(seconds) };
    answer(operator.say(full_name(&pool, &node), said, force).await.map(|()| Json(json!({}))))
}

/// What would change how a terminal shows the rest.
fn is_disturbing(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// When something ends that lasts so many seconds from now.
fn end_of(seconds: Option<u64>) -> Option<u64> {
    seconds.map(|seconds| now().saturating_add(seconds))
}

async fn nominate(
    State(operator): State<Operator>,
    extract::Path((pool, node)): extract::Path<(String, String)>,
    Json(Nominating { by, why, replaces, seconds, force, without_action }): Json<Nominating>,
) -> Response {
    if let Some(why) = unsound(&by, &why, seconds) {
        return error(StatusCode::UNPROCESSABLE_ENTITY, &why);
    }
    let (name, step, until) = (full_name(&pool, &node), Step::Nominate { replaces }, end_of(seconds));
    let wish = Wish { name, step, by, why, until, force, with_action: !without_action, only_if_wanted: false };
    answer(operator.appoint(wish).await.map(|left_out| Json(json!({ "action_left_out": left_out }))))
}

async fn unregister(
    State(operator): State<Operator>,
    extract::Path((pool, node)): extract::Path<(String, String)>,
    Query(Unregistering { by, force, without_action }): Query<Unregistering>,
) -> Response {
    if let Some(why) = unsound(&by, "", None) {
        return error(StatusCode::UNPROCESSABLE_ENTITY, &why);
    }
    let (name, why) = (full_name(&pool, &node), String::new());
    let (step, with_action) = (Step::Unregister, !without_action);
    let wish = Wish { name, step, by, why, until: None, force, with_action, only_if_wanted: false };
    answer(operator.appoint(wish).await.map(|left_out| Json(json!({ "action_left_out": left_out }))))
}

/// What is wrong with what is said: it ends up in logs and on terminals.
fn unsound(by: &str, why: &str, seconds: Option<u64>) -> Option<String> {
    for (key, text) in [("by", by), ("why", why)] {
        if text.chars().count() > LONGEST_TEXT {
            return Some(format!("`{key}` is too long; accepted: {LONGEST_TEXT} characters"));
        }
        if text.chars().any(is_disturbing) {
            return Some(format!("`{key}` holds control characters; accepted: one line of text"));
        }
    }
    if by.trim().is_empty() {
        return Some("`by` is empty; accepted: who says it".to_owned());
    }
    (seconds == Some(0)).then(|| "it would end at once; accepted: a second or longer".to_owned())
}

async fn take_back(
    State(operator): State<Operator>,
    extract::Path((pool, node)): extract::Path<(String, String)>,
    Query(By { by }): Query<By>,
) -> Response {
    if let Some(why) = unsound(&by, "", None) {
        return error(StatusCode::UNPROCESSABLE_ENTITY, &why);
    }
    answer(operator.take_back(full_name(&pool, &node), by).await.map(|()| Json(json!({}))))
}

fn answer(outcome: Result<impl IntoResponse, Refused>) -> Response {
    let refused = match outcome {
        Ok(response) => return response.into_response(),
        Err(refused) => refused,
    };
    let status = match refused {
        Refused::NoSuchNode(_) | Refused::NothingSaid(_) => StatusCode::NOT_FOUND,
        Refused::NotPossible(_)
        | Refused::TooFew(_)
        | Refused::NotAlive(_)
        | Refused::UnderWay(_)
        | Refused::NotWanted(_) => StatusCode::CONFLICT,
        Refused::ActionFailed(_) => StatusCode::BAD_GATEWAY,
        Refused::NotKept(_) | Refused::Starting | Refused::Ending(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    error(status, &refused.to_string())
}

pub(super) fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "err": message }))).into_response()
}
