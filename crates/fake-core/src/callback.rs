//! Callbacks: the node sends the final report of a file or a batch to the URL that a client named,
//! and repeats that a few times if it fails.
//!
//! One task per callback, which ends with the tokio runtime. `GET /file/webhook/{id}` shows the
//! outcome of the latest attempt.

use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::http::{Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};

use crate::node::FakeCore;
use crate::report::{Page, batch_report, file_report};
use crate::store::Callback;

/// How often a callback is repeated (`maxretrytime` of Core nodes).
const MAX_RETRIES: u32 = 3;

/// Delay before the first retry, and how much longer each further delay is (`delayduration` and
/// `delayprogression`).
const DELAY: Duration = Duration::from_secs(1);

/// Limit for one attempt (`transfertimeout`).
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(30);

impl FakeCore {
    /// Sends the report of a session to a URL as soon as its scans have ended. A batch is closed
    /// then.
    pub(crate) fn call_back(&self, id: &str, url: Uri) {
        let callback = Callback { url: url.clone(), latest: None };
        self.state().sessions.callbacks.insert(id.to_owned(), callback);
        let (core, id) = (self.clone(), id.to_owned());
        tokio::spawn(async move {
            if let Some(report) = core.final_report(&id).await {
                core.send_report(&id, &url, report).await;
            }
        });
    }

    /// Waits for the end of a session; returns its report. Returns `None` if the node has forgotten
    /// the session.
    async fn final_report(&self, id: &str) -> Option<Bytes> {
        loop {
            let changed = self.scans_changed.notified();
            tokio::pin!(changed);
            // Enabled before the state is read, so that no change is missed.
            changed.as_mut().enable();
            let left = {
                let mut state = self.state();
                let left = state.sessions.time_left(id)?;
                if left.is_zero() {
                    if let Some(batch) = state.sessions.batches.get_mut(id) {
                        batch.is_closed = true;
                    }
                    let sessions = &state.sessions;
                    let of_batch = |batch| batch_report(sessions, id, batch, Page::default());
                    let of_file = sessions.files.get(id).map(|file| file_report(id, file));
                    let report = of_file.or_else(|| sessions.batches.get(id).map(of_batch))?;
                    return Some(report.to_string().into());
                }
                left
            };
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = changed => {}
            }
        }
    }

    /// Sends a report, several times if necessary.
    async fn send_report(&self, id: &str, url: &Uri, report: Bytes) {
        for retry in 0..=MAX_RETRIES {
            tokio::time::sleep(DELAY * retry).await;
            let requested = SystemTime::now();
            let outcome = tokio::time::timeout(TRANSFER_TIMEOUT, post(url, report.clone())).await;
            let status = outcome.unwrap_or(408);
            if let Some(callback) = self.state().sessions.callbacks.get_mut(id) {
                callback.latest = Some((requested, status));
            }
            if status == 200 {
                return;
            }
        }
    }
}

/// Sends a report once. Returns the status that Core nodes report for the outcome.
async fn post(url: &Uri, report: Bytes) -> u16 {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    // The node has no trusted certificates, so it does not speak TLS to others.
    let (Some("http"), Some(authority)) = (url.scheme_str(), url.authority()) else { return 444 };
    let Some(address) = lookup_host((host, url.port_u16().unwrap_or(80))).await.ok().and_then(|mut found| found.next())
    else {
        return 503;
    };
    let Ok(stream) = TcpStream::connect(address).await else { return 444 };
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, authority.as_str())
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(report));
    let (Ok(request), Ok((mut sender, connection))) =
        (request, hyper::client::conn::http1::handshake(TokioIo::new(stream)).await)
    else {
        return 444;
    };
    tokio::spawn(connection);
    match sender.send_request(request).await.map(|response| response.status()) {
        Ok(status) if status.is_success() => 200,
        Ok(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => 403,
        Ok(StatusCode::NOT_FOUND) => 404,
        Ok(_) => 444,
        Err(error) if error.is_incomplete_message() || error.is_canceled() || error.is_closed() => 520,
        Err(_) => 444,
    }
}
