//! Sends the requests that start and continue a session: which failures skip the node, which are
//! retried there, and which error each other failure becomes.
//!
//! [`api`](crate::api) calls it, with one of three kinds of requests:
//! - `start_session`: no session exists yet, so another node may take over
//!   ([`NotStarted::Skipped`]), whatever became of the request.
//! - `upload`: a file for an existing batch; a broken upload is retried a few times.
//! - `query_json`, `query_text`, `find_session`: safe to repeat, so they are retried for
//!   `outage_timeout`.

use std::sync::atomic::AtomicU64;

use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::backoff::{Backoff, Delays};
use crate::error::Error;
use crate::options::Affinity;
use crate::pin::Pin;
use crate::response_text::{is_unknown_session, message};
use crate::sanitized::SanitizedFile;
use crate::skip::SkipReason;
use crate::source::Source;
use crate::transfer::{self, ResponseKind, TransferError};

/// Headers of an upload.
pub(crate) type Headers = Vec<(HeaderName, HeaderValue)>;

/// How many times an upload is repeated at a node that breaks the connection during the upload.
const MAX_RETRIES: u32 = 3;

/// Delays before a query that did not reach the node is repeated.
const QUERY_DELAYS: Delays = Delays::millis(50, 1000);

/// Why a session was not started.
pub(crate) enum NotStarted {
    /// Another node may accept it.
    Skipped(SkipReason),
    /// This node accepts no session for now; another may. Holds its refusal.
    Refused(Error),
    /// No other node can help.
    Failed(Error),
}

impl From<Error> for NotStarted {
    /// What an error at one node means for the search.
    fn from(error: Error) -> Self {
        match error {
            Error::NodeBusy { message, .. } if message.is_empty() => {
                Self::Skipped(SkipReason::Busy("status 503".to_owned()))
            }
            Error::NodeBusy { message, .. } => Self::Skipped(SkipReason::Busy(message)),
            // A balancer sends these for a node that it cannot reach.
            Error::UnexpectedStatus { status: status @ (502 | 504), .. } => {
                Self::Skipped(SkipReason::Unreachable(format!("status {status}")))
            }
            error if error.is_node_unfit() => Self::Refused(error),
            error => Self::Failed(error),
        }
    }
}

impl From<TransferError> for SkipReason {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::NotConnected(reason) => reason,
            TransferError::NotHttp(_) => Self::ProtocolMismatch(error.to_string()),
            error => Self::Unreachable(error.to_string()),
        }
    }
}

impl Pin {
    /// Sends a POST request that starts a session; returns the pin for the later requests of the
    /// session, and the response.
    pub(crate) async fn start_session(
        &self,
        path: &str,
        source: Option<&mut Source>,
        headers: &Headers,
    ) -> Result<(Self, Value), NotStarted> {
        let (outcome, is_repeatable) = match source {
            None => (self.send(self.post(path, headers), &AtomicU64::default()).await, true),
            Some(source) => (self.send_source(|| self.post(path, headers), source).await?, source.is_repeatable()),
        };
        let not_started = |error| match error {
            error @ TransferError::TooLong(_) => NotStarted::Failed(self.transfer_error(None, error)),
            error if is_repeatable => NotStarted::Skipped(error.into()),
            error => NotStarted::Failed(self.transfer_error(None, error)),
        };
        let response = outcome.map_err(not_started)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = match transfer::read_text(response, ResponseKind::Json, self.options().stall_timeout).await {
            // The text of a refusal only explains the status.
            Err(_) if status == StatusCode::SERVICE_UNAVAILABLE => String::new(),
            text => text.map_err(not_started)?,
        };
        if status.is_success() {
            return Ok((self.with_session_cookie(&headers)?, self.parse(&text, None)?));
        }
        let error = Error::from_response(self.session(None), status.as_u16(), message(&text));
        Err(if is_repeatable { error.into() } else { NotStarted::Failed(error) })
    }

    /// Sends a source with a POST request of session `id`; returns the response.
    pub(crate) async fn upload(
        &self,
        path: &str,
        source: &mut Source,
        headers: &Headers,
        id: &str,
    ) -> Result<Value, Error> {
        let outcome = self.send_source(|| self.post(path, headers), source).await?;
        let response = outcome.map_err(|error| self.transfer_error(Some(id), error))?;
        let text = self.read_success(response, ResponseKind::Json, id).await?;
        self.parse(&text, Some(id))
    }

    /// Sends a repeatable request of session `id`; returns the JSON of the response. The request is
    /// repeated for at most `outage_timeout` while the node cannot be reached, stays silent for
    /// `stall_timeout` or, if the request only reads, responds with an error of its own (5xx).
    pub(crate) async fn query_json(&self, method: Method, path: &str, id: &str) -> Result<Value, Error> {
        let (_, text) = self.query(|| self.request(method.clone(), path), &method, ResponseKind::Json, id).await?;
        self.parse(&text, Some(id))
    }

    /// As [`query_json`](Self::query_json), but returns the text of the response.
    pub(crate) async fn query_text(&self, method: Method, path: &str, id: &str) -> Result<String, Error> {
        let request = || self.request(method.clone(), path);
        self.query(request, &method, ResponseKind::Text, id).await.map(|(_, text)| text)
    }

    /// As [`query_json`](Self::query_json) for a session that `id` leads to: with request headers,
    /// and with the pin of that session.
    pub(crate) async fn find_session(
        &self,
        path: &str,
        headers: &Headers,
        id: &str,
    ) -> Result<Option<(Self, Value)>, Error> {
        let request = || with_headers(self.request(Method::GET, path), headers);
        match self.query(request, &Method::GET, ResponseKind::Json, id).await {
            Ok((headers, text)) => {
                let json = self.parse(&text, Some(id))?;
                Ok(Some((self.with_session_cookie(&headers)?, json)))
            }
            Err(Error::UnknownSession(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn query(
        &self,
        request: impl Fn() -> RequestBuilder,
        method: &Method,
        kind: ResponseKind,
        id: &str,
    ) -> Result<(HeaderMap, String), Error> {
        let mut backoff = Backoff::within(self.options().outage_timeout, QUERY_DELAYS);
        let may_retry = |error: &Error| error.is_transient() || *method == Method::GET && error.is_server_error();
        loop {
            let outcome = match self.send(request(), &AtomicU64::default()).await {
                Ok(response) => {
                    let headers = response.headers().clone();
                    self.read_success(response, kind, id).await.map(|text| (headers, text))
                }
                Err(error) => Err(self.transfer_error(Some(id), error)),
            };
            match outcome {
                Err(error) if may_retry(&error) && backoff.wait().await => {}
                // A balancer sends 502, 503 or 504 for a node that it cannot reach.
                Err(error) if error.is_transient() && self.options().affinity == Affinity::Cookie => {
                    return Err(self.node_gone(Some(id), error));
                }
                other => return other,
            }
        }
    }

    /// Starts the download of a file of session `id`.
    pub(crate) async fn download(&self, path: &str, id: &str) -> Result<SanitizedFile, Error> {
        let response = self.send(self.request(Method::GET, path), &AtomicU64::default()).await;
        let response = response.map_err(|error| self.transfer_error(Some(id), error))?;
        if response.status() == StatusCode::NOT_FOUND {
            return Err(Error::NotSanitized(self.session(Some(id))));
        }
        if response.status().is_success() {
            return Ok(SanitizedFile::new(response, self.session(Some(id)), self.options().stall_timeout));
        }
        let refusal = self.read_success(response, ResponseKind::Text, id).await;
        refusal.and_then(|text| Err(self.invalid_response(Some(id), message(&text))))
    }

    /// Sends a source. A node that breaks the connection during an upload has started nothing, and
    /// its refusal may have been lost with the connection. The upload is therefore repeated at the
    /// same node, at most `MAX_RETRIES` times.
    ///
    /// # Errors
    /// The source cannot be read.
    async fn send_source(
        &self,
        request: impl Fn() -> RequestBuilder,
        source: &mut Source,
    ) -> Result<Result<Response, TransferError>, Error> {
        let mut retries = MAX_RETRIES;
        loop {
            let (body, len) = source.body().await?;
            // Core nodes require a Content-Length, even for an empty body.
            let request = request().header(CONTENT_LENGTH, len).body(body);
            let outcome = self.send(request, &source.bytes_sent()).await;
            if let Some(error) = source.take_read_error() {
                return Err(error);
            }
            match outcome {
                Err(TransferError::Broken(_)) if retries > 0 && source.is_repeatable() && !source.is_fully_sent() => {
                    retries -= 1;
                }
                outcome => return Ok(outcome),
            }
        }
    }

    async fn send(&self, request: RequestBuilder, bytes_sent: &AtomicU64) -> Result<Response, TransferError> {
        transfer::send(request, bytes_sent, self.options().stall_timeout).await
    }

    /// The text of a successful response, or the error that the response stands for. A node can
    /// report an unknown session with status 200, too.
    async fn read_success(&self, response: Response, kind: ResponseKind, id: &str) -> Result<String, Error> {
        let status = response.status();
        let text = transfer::read_text(response, kind, self.options().stall_timeout).await;
        let text = text.map_err(|error| self.transfer_error(Some(id), error))?;
        if status == StatusCode::NOT_FOUND || is_unknown_session(id, &text) {
            return Err(Error::UnknownSession(self.session(Some(id))));
        }
        if status.is_success() {
            Ok(text)
        } else {
            Err(Error::from_response(self.session(Some(id)), status.as_u16(), message(&text)))
        }
    }

    /// Waits for the outcome of a request of session `id`, at most until the end of
    /// `result_timeout`, which is `deadline`.
    ///
    /// # Errors
    /// Those of the request. At the deadline, the node is gone if it has owed a response for
    /// `outage_timeout`: it accepts connections, but stays silent. Otherwise, the result is late.
    pub(crate) async fn by_deadline<T>(
        &self,
        deadline: Instant,
        id: &str,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let asked = Instant::now();
        match timeout_at(deadline, request).await {
            Ok(outcome) => outcome,
            Err(_) if asked.elapsed() >= self.options().outage_timeout => {
                Err(self.node_gone(Some(id), format!("no complete response for {:.0?}", asked.elapsed())))
            }
            Err(_) => Err(self.result_timeout(id)),
        }
    }

    /// The error of session `id` at the end of `result_timeout`.
    pub(crate) fn result_timeout(&self, id: &str) -> Error {
        Error::ResultTimeout { session: self.session(Some(id)), timeout: self.options().result_timeout }
    }

    fn parse(&self, text: &str, id: Option<&str>) -> Result<Value, Error> {
        serde_json::from_str(text).map_err(|error| self.invalid_response(id, error))
    }

    fn post(&self, path: &str, headers: &Headers) -> RequestBuilder {
        with_headers(self.request(Method::POST, path), headers)
    }

    /// The error of a request without a complete response. What is not a response of a node will
    /// not be one the next time; anything else says that the node is gone.
    fn transfer_error(&self, id: Option<&str>, error: TransferError) -> Error {
        match error {
            TransferError::TooLong(_) | TransferError::NotHttp(_) => self.invalid_response(id, error),
            error => self.node_gone(id, error),
        }
    }

    fn node_gone(&self, id: Option<&str>, reason: impl ToString) -> Error {
        Error::NodeGone { session: self.session(id), reason: reason.to_string() }
    }
}

fn with_headers(request: RequestBuilder, headers: &Headers) -> RequestBuilder {
    headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}
