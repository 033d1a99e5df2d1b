//! The HTTP API, `/v1`, JSON.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /v1/status` | tells how everything stands |
//! | `GET /v1/events?after=0&limit=100&wait=20` | tells what happened; waits so many seconds when nothing has since then |
//! | `PUT /v1/overrides/POOL/NODE` | says something of a node: `{"word": "drain", "by": "ops", "why": "", "seconds": null, "force": false}` |
//! | `DELETE /v1/overrides/POOL/NODE?by=ops` | takes it back |
//! | `PUT /v1/nominations/POOL/NODE` | makes a backup active: `{"by": "ops", "why": "", "replaces": null, "seconds": null, "force": false}` |
//! | `DELETE /v1/nominations/POOL/NODE?by=ops&force=false` | makes it a backup again |
//!
//! What is refused for its content is told as `{"err": "…"}`; a request that is none of these in a line of text.
//!
//! Over TCP, on loopback, it can be read only, and only under a name of this machine: a page in a browser that has its own
//! name point here (DNS rebinding) reads nothing.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use axum::extract::{self, Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_util::task::AbortOnDropHandle;

use super::bounded::Bounded;
use super::operator::{Operator, Refused};
use super::roles::{Step, Wish};
use crate::config::Admin;
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
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct By {
    by: String,
    #[serde(default)]
    force: bool,
}

/// Which events somebody asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    /// Those after the one of this number; the last ones without.
    after: Option<u64>,
    #[serde(default = "most_events")]
    limit: usize,
    /// Seconds to wait when there is none.
    #[serde(default)]
    wait: u64,
}

fn most_events() -> usize {
    MOST_EVENTS
}

/// The open doors; they are closed, and the socket's file removed, when this is dropped.
#[derive(Debug)]
pub struct Doors {
    socket: PathBuf,
    inode: u64,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl Drop for Doors {
    fn drop(&mut self) {
        // Should it stay, the next server finds that nobody listens there. One that is not ours belongs to another.
        if inode(&self.socket).is_ok_and(|inode| inode == self.inode) {
            let _ = fs::remove_file(&self.socket);
        }
    }
}

/// Opens the socket, whose owner and group may write, and, when it is configured, the port for reading.
///
/// # Errors
/// The system's, or another server listens there; the message names what cannot be opened.
pub async fn open(admin: &Admin, operator: Operator) -> anyhow::Result<Doors> {
    let socket = open_socket(&admin.socket).await;
    let socket = socket.with_context(|| format!("the admin socket {} cannot be opened", admin.socket.display()))?;
    let not_found = || async { error(StatusCode::NOT_FOUND, "there is nothing at this path; see /v1/status") };
    let reading = Router::new().route("/v1/status", get(status)).route("/v1/events", get(events)).fallback(not_found);
    let writing = reading
        .clone()
        .route("/v1/overrides/{pool}/{node}", put(say).delete(take_back))
        .route("/v1/nominations/{pool}/{node}", put(nominate).delete(unregister));
    let mut tasks = vec![serve(socket, writing.with_state(operator.clone()))];
    if let Some(address) = admin.listen {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("the admin address {address} cannot be listened on"))?;
        let checked = reading.layer(axum::middleware::from_fn(under_own_name));
        tasks.push(serve(listener, checked.with_state(operator)));
    }
    let inode = inode(&admin.socket).with_context(|| format!("the admin socket {} is gone", admin.socket.display()))?;
    Ok(Doors { socket: admin.socket.clone(), inode, _tasks: tasks })
}

fn inode(path: &Path) -> io::Result<u64> {
    fs::symlink_metadata(path).map(|file| file.ino())
}

fn serve<L>(listener: L, app: Router) -> AbortOnDropHandle<()>
where
    L: axum::serve::Listener,
    L::Addr: std::fmt::Debug,
{
    // Ends with its task.
    AbortOnDropHandle::new(tokio::spawn(async move { drop(axum::serve(Bounded::new(listener), app).await) }))
}

/// A socket that a killed server has left is replaced; anything else that is there stays.
async fn open_socket(path: &Path) -> io::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    if let Ok(file) = fs::symlink_metadata(path) {
        if !file.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
        }
        match UnixStream::connect(path).await.map_err(|error| error.kind()) {
            Err(io::ErrorKind::ConnectionRefused) => fs::remove_file(path)?,
            // Also when its queue is full: somebody is there.
            _ => return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server listens there")),
        }
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Lets requests pass whose Host is an address of loopback or `localhost`.
async fn under_own_name(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if is_own_name(host) {
        next.run(request).await
    } else {
        error(StatusCode::FORBIDDEN, "ask under localhost or an address of loopback")
    }
}

fn is_own_name(host: &str) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = without_port.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    without_port.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

async fn status(State(operator): State<Operator>) -> Response {
    answer(operator.status().await.map(Json))
}

async fn events(State(operator): State<Operator>, Query(Since { after, limit, wait }): Query<Since>) -> Response {
    Json(operator.events(after, limit, Duration::from_secs(wait.min(LONGEST_WAIT))).await).into_response()
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

/// When something ends that lasts so many seconds from now.
fn end_of(seconds: Option<u64>) -> Option<u64> {
    seconds.map(|seconds| now().saturating_add(seconds))
}

async fn nominate(
    State(operator): State<Operator>,
    extract::Path((pool, node)): extract::Path<(String, String)>,
    Json(Nominating { by, why, replaces, seconds, force }): Json<Nominating>,
) -> Response {
    if let Some(why) = unsound(&by, &why, seconds) {
        return error(StatusCode::UNPROCESSABLE_ENTITY, &why);
    }
    let (name, step, until) = (full_name(&pool, &node), Step::Nominate { replaces }, end_of(seconds));
    answer(operator.appoint(Wish { name, step, by, why, until, force }).await.map(|()| Json(json!({}))))
}

async fn unregister(
    State(operator): State<Operator>,
    extract::Path((pool, node)): extract::Path<(String, String)>,
    Query(By { by, force }): Query<By>,
) -> Response {
    if let Some(why) = unsound(&by, "", None) {
        return error(StatusCode::UNPROCESSABLE_ENTITY, &why);
    }
    let (name, why) = (full_name(&pool, &node), String::new());
    let wish = Wish { name, step: Step::Unregister, by, why, until: None, force };
    answer(operator.appoint(wish).await.map(|()| Json(json!({}))))
}

/// What is wrong with what is said: it ends up in logs and on terminals.
fn unsound(by: &str, why: &str, seconds: Option<u64>) -> Option<String> {
    for (key, text) in [("by", by), ("why", why)] {
        if text.chars().count() > LONGEST_TEXT {
            return Some(format!("`{key}` is too long; accepted: {LONGEST_TEXT} characters"));
        }
        if text.chars().any(char::is_control) {
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
    Query(By { by, .. }): Query<By>,
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
        Refused::NotPossible(_) | Refused::TooFew(_) | Refused::NotAlive(_) => StatusCode::CONFLICT,
        Refused::ActionFailed(_) => StatusCode::BAD_GATEWAY,
        Refused::NotKept(_) | Refused::Starting | Refused::Ending(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    error(status, &refused.to_string())
}

fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "err": message }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_names_are_those_of_loopback() {
        for own in ["localhost", "LOCALHOST:5380", "127.0.0.1:5380", "127.0.0.9", "[::1]:5380", "[::1]"] {
            assert!(is_own_name(own), "{own}");
        }
        for other in ["", "evil.example", "evil.example:5380", "127.0.0.1.evil.example", "192.0.2.1", "localhost.evil"]
        {
            assert!(!is_own_name(other), "{other}");
        }
    }
}
