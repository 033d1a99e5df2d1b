//! A Core node for the demo, for tests and for others' CI: its API as far as scans, readiness and hot backup go, and
//! faults on request.
//!
//! | request | answer |
//! |---|---|
//! | `POST /file` | takes a file, whose scan begins: its `data_id` |
//! | `GET /file/{data_id}` | how far it is, and what was found; the EICAR test string is infected |
//! | `POST /file/batch` | opens a batch: its `batch_id`, which files name in the header `batch` |
//! | `GET /file/batch/{id}` | how far its files are |
//! | `POST /file/batch/{id}/close`, `…/cancel` | ends it; closing is refused while files are in progress |
//! | `GET /file/batch/{id}/certificate` | the signed result of a closed batch |
//! | `GET /readyz` | 200 or the status that was set, with the checks behind it as JSON |
//! | `GET /version`, `GET /stat/nodes`, `POST /login` | what they say of a node |
//! | `GET /admin/license/backup` | whether it is a hot backup |
//! | `POST`, `DELETE /admin/license/backup` | makes it one, or an ordinary node |
//! | `POST /admin/license/backup/nomination` | makes an active node of a hot backup, or 400 |
//! | `GET /_fake` | the faults that are set, and what was counted |
//! | `PUT /_fake` | sets faults from a JSON object; what is left out stays as it is |
//!
//! In reading order: `sessions` (single files and batches) over a `store`, `upload` reads what is sent, `admin` the rest of
//! the API, `faults` what can be wrong, `gate` where connections meet it.
//!
//! A hot backup says that it is ready all the same: what real ones say is not known, and this is the harder case. It
//! refuses scans.
//!
//! Identifiers begin with a mark of the name and address of the node that gave them, so that a node knows when it is asked for another one's
//! session: it counts that as `wrong_node`.

mod admin;
mod faults;
mod gate;
mod sessions;
mod store;
mod upload;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use faults::Faults;
pub use gate::Certificates;

/// Path of the faults: it works whatever is wrong.
const CONTROL: &str = "/_fake";

/// What was counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Counters {
    /// Requests, but for those that set faults.
    pub requests: u64,
    /// Single files and batches that began here.
    pub sessions: u64,
    /// Files that were taken whole, alone or into a batch.
    pub uploads: u64,
    /// Batches that were cancelled.
    pub cancelled: u64,
    /// Requests for sessions of other nodes.
    pub wrong_node: u64,
    /// Requests for sessions of this node that it has forgotten.
    pub forgotten: u64,
}

/// What a node is at the moment.
#[derive(Debug)]
struct Now {
    faults: Faults,
    counters: Counters,
    is_backup: bool,
    store: store::Store,
    /// Where outages are asked for, once it listens.
    outages: Option<mpsc::Sender<gate::OutageRequest>>,
}

/// A node.
#[derive(Clone, Debug)]
pub struct FakeCore {
    /// Told in the `X-Core-Id` header of every answer.
    id: HeaderValue,
    /// Begins every identifier that it gives: of its name and, once it listens, its address.
    mark: u32,
    /// Required with every request, if there is one.
    apikey: Option<HeaderValue>,
    certificates: Option<Certificates>,
    began: tokio::time::Instant,
    now: Arc<Mutex<Now>>,
}

impl FakeCore {
    /// A node that is ready. `id` holds visible ASCII characters only.
    ///
    /// # Panics
    /// When `id` cannot stand in a header.
    pub fn new(id: &str) -> Self {
        let now = Now {
            faults: Faults::default(),
            counters: Counters::default(),
            is_backup: false,
            store: store::Store::default(),
            outages: None,
        };
        Self {
            id: HeaderValue::from_str(id).expect("visible ASCII characters"),
            mark: mark_of(id, None),
            apikey: None,
            certificates: None,
            began: tokio::time::Instant::now(),
            now: Arc::new(Mutex::new(now)),
        }
    }

    /// The same as a hot backup.
    #[must_use]
    pub fn as_backup(self) -> Self {
        self.now().is_backup = true;
        self
    }

    /// The same, with faults from the beginning, in the words of `PUT /_fake`.
    ///
    /// # Errors
    /// No JSON object of faults; the text says why.
    pub fn with_faults(self, faults: &str) -> Result<Self, String> {
        let new: faults::NewFaults = serde_json::from_str(faults).map_err(|error| error.to_string())?;
        if new.outage.is_some() {
            return Err("an outage begins while the node is there, with PUT /_fake".to_owned());
        }
        let faults = Faults::default().with(&new)?;
        self.now().faults = faults;
        Ok(self)
    }

    /// The same for those who know a key.
    ///
    /// # Panics
    /// When the key cannot stand in a header.
    #[must_use]
    pub fn with_apikey(self, key: &str) -> Self {
        Self { apikey: Some(HeaderValue::from_str(key).expect("visible ASCII characters")), ..self }
    }

    /// The same over TLS.
    #[must_use]
    pub fn with_certificates(self, certificates: Certificates) -> Self {
        Self { certificates: Some(certificates), ..self }
    }

    /// What was counted since it began.
    pub fn counters(&self) -> Counters {
        self.now().counters
    }

    /// Answers on an address from now on, in a task of its own; gives the address.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn listen(mut self, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        self.mark = mark_of(self.id.to_str().unwrap_or_default(), Some(address));
        let (sender, outages) = mpsc::channel(1);
        self.now().outages = Some(sender);
        let (core, certificates) = (self.clone(), self.certificates.clone());
        tokio::spawn(gate::serve(core, listener, certificates, self.app(), outages));
        Ok(address)
    }

    fn app(self) -> Router {
        let common = axum::middleware::from_fn_with_state(self.clone(), common);
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
            .route(CONTROL, get(admin::faults).put(admin::set_faults))
            .fallback(|| async { refused(StatusCode::NOT_FOUND, "Endpoint not found") })
            .method_not_allowed_fallback(|| async { refused(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed") })
            .layer(DefaultBodyLimit::disable())
            .layer(common)
            .with_state(self)
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        // A plain value: a panic elsewhere cannot have left it half set.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new identifier of this node: 32 hexadecimal digits.
    fn new_id(&self) -> String {
        format!("{:08x}{:08x}{:016x}", self.mark, fastrand::u32(..), fastrand::u64(..))
    }

    /// Counts a request for a session that is not here.
    fn count_stranger(&self, now: &mut Now, id: &str) {
        let mark = id.get(..8).and_then(|mark| u32::from_str_radix(mark, 16).ok());
        match mark {
            Some(mark) if mark == self.mark => now.counters.forgotten += 1,
            _ => now.counters.wrong_node += 1,
        }
    }
}

/// The same for a node that comes back, and not for another one.
fn mark_of(id: &str, address: Option<SocketAddr>) -> u32 {
    let mut hasher = DefaultHasher::new();
    (id, address).hash(&mut hasher);
    hasher.finish() as u32
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

/// An error in the form that Core nodes use.
fn refused(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "err": message }))).into_response()
}
