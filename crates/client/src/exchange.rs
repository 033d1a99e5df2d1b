//! Sends the requests that start and continue a session: which failures skip the node, which are
//! retried there, and which error each other failure becomes.
//!
//! [`api`](crate::api) calls it, with one of three kinds of requests:
//! - `start_session`: no session exists yet, so another node may take over
//!   ([`NotStarted::Skipped`]), whatever became of the request.
//! - `upload`: a file for an existing batch; a broken upload is retried a few times.
//! - `query_json`, `query_text`: safe to repeat, so they are retried for `outage_timeout`.

use std::sync::atomic::AtomicU64;

use reqwest::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

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
    /// No other node can help.
    Failed(Error),
}

impl From<Error> for NotStarted {
    fn from(error: Error) -> Self {
        Self::Failed(error)
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
        let response = match outcome {
            Ok(response) => response,
            Err(error) if is_repeatable => return Err(NotStarted::Skipped(error.into())),
            Err(error) => return Err(self.node_gone(None, error).into()),
        };
        if response.status() == StatusCode::SERVICE_UNAVAILABLE && is_repeatable {
            let text = self.read_text(response, ResponseKind::Json, None).await?;
            return Err(NotStarted::Skipped(SkipReason::Busy(message(&text))));
        }
        let pin = if response.status().is_success() { self.with_session_cookie(&response)? } else { self.clone() };
        let text = self.read_success(response, ResponseKind::Json, None).await?;
        Ok((pin, self.parse(&text, None)?))
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
        let response = outcome.map_err(|error| self.node_gone(Some(id), error))?;
        let text = self.read_success(response, ResponseKind::Json, Some(id)).await?;
        self.parse(&text, Some(id))
    }

    /// Sends a repeatable request of session `id`; returns the JSON of the response. While the node
    /// cannot be reached, the request is repeated for at most `outage_timeout`.
    pub(crate) async fn query_json(&self, method: Method, path: &str, id: &str) -> Result<Value, Error> {
        let text = self.query(method, path, ResponseKind::Json, id).await?;
        self.parse(&text, Some(id))
    }

    /// As [`query_json`](Self::query_json), but returns the text of the response.
    pub(crate) async fn query_text(&self, method: Method, path: &str, id: &str) -> Result<String, Error> {
        self.query(method, path, ResponseKind::Text, id).await
    }

    async fn query(&self, method: Method, path: &str, kind: ResponseKind, id: &str) -> Result<String, Error> {
        let mut backoff = Backoff::within(self.options().outage_timeout, QUERY_DELAYS);
        loop {
            let outcome = match self.send(self.request(method.clone(), path), &AtomicU64::default()).await {
                Ok(response) => self.read_success(response, kind, Some(id)).await,
                Err(error) => Err(self.node_gone(Some(id), error)),
            };
            match outcome {
                Err(error) if error.is_transient() && backoff.wait().await => {}
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
        let response = response.map_err(|error| self.node_gone(Some(id), error))?;
        if response.status() == StatusCode::NOT_FOUND {
            return Err(Error::NotSanitized(self.session(Some(id))));
        }
        if response.status().is_success() {
            return Ok(SanitizedFile::new(response, self.session(Some(id)), self.options().stall_timeout));
        }
        let refusal = self.read_success(response, ResponseKind::Text, Some(id)).await;
        refusal.and_then(|text| Err(self.invalid_response(Some(id), message(&text))))
    }

    /// Sends a source. A node that breaks the connection during an upload has started nothing, and
    /// its refusal may have been lost with the connection. The upload is therefore repeated at the
    /// same node, at most `MAX_RETRIES` times.
    ///
    /// # Errors
    /// The source cannot be read, or has changed while it was sent.
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
            if outcome.is_ok() {
                source.check_unchanged().await?;
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

    /// The text of a response, regardless of its status.
    async fn read_text(&self, response: Response, kind: ResponseKind, id: Option<&str>) -> Result<String, Error> {
        let text = transfer::read_text(response, kind, self.options().stall_timeout).await;
        text.map_err(|error| self.node_gone(id, error))
    }

    /// The text of a successful response, or the error that the response stands for.
    async fn read_success(&self, response: Response, kind: ResponseKind, id: Option<&str>) -> Result<String, Error> {
        let status = response.status();
        let text = self.read_text(response, kind, id).await?;
        // A node can report an unknown session with status 200, too. A 404 for a signed result only
        // means that the batch has none.
        let is_not_found = status == StatusCode::NOT_FOUND;
        if id.is_some_and(|id| is_not_found && kind == ResponseKind::Json || is_unknown_session(id, &text)) {
            return Err(Error::UnknownSession(self.session(id)));
        }
        if status.is_success() {
            Ok(text)
        } else {
            Err(Error::from_response(self.session(id), status.as_u16(), message(&text)))
        }
    }

    fn parse(&self, text: &str, id: Option<&str>) -> Result<Value, Error> {
        serde_json::from_str(text).map_err(|error| self.invalid_response(id, error))
    }

    fn post(&self, path: &str, headers: &Headers) -> RequestBuilder {
        headers.iter().fold(self.request(Method::POST, path), |request, (name, value)| request.header(name, value))
    }

    fn node_gone(&self, id: Option<&str>, reason: impl ToString) -> Error {
        Error::NodeGone { session: self.session(id), reason: reason.to_string() }
    }
}
