//! Requests to a pinned node and its answers: what is sent is watched for as long as it moves, what comes back is bounded,
//! and every failure is told apart by what may be done about it.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use super::backoff::Backoff;
use super::error::Error;
use super::options::Affinity;
use super::pin::Pin;
use super::search::Passed;
use super::source::Source;

/// Headers of an upload.
pub(super) type Headers = Vec<(HeaderName, HeaderValue)>;

/// Longest answer in bytes. A batch of a hundred thousand files has about 20 MB; what is longer is no answer.
const LONGEST_ANSWER: usize = 64 << 20;

/// Characters of a server's words in an error.
const LONGEST_WORDS: usize = 200;

/// How often an upload is begun again at a node that breaks it off.
const BREAKS: u32 = 3;

/// First and longest wait before a question is asked again that has not reached its node.
const WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Why a session has not begun.
pub(super) enum Unbegun {
    /// Another node may take it.
    Passed(Passed),
    /// No other node can help.
    Failed(Error),
}

impl From<Error> for Unbegun {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// How a request has broken off.
enum Broken {
    /// There was no connection: the node has not seen it.
    Unsent(Passed),
    /// The node may have seen it.
    Lost {
        /// What happened to the connection.
        why: String,
        /// Whether it is there and nothing moves.
        is_silent: bool,
    },
}

impl Pin {
    /// Begins a session with a request that may be sent to another node if this one does not take it; gives the pin of the
    /// rest of the session.
    pub(super) async fn begin(
        &self,
        path: &str,
        source: Option<&mut Source>,
        headers: &Headers,
    ) -> Result<(Self, Value), Unbegun> {
        let request = || self.with_headers(path, headers);
        let (outcome, is_repeatable) = match source {
            None => (self.watched(request(), &Arc::default()).await, true),
            Some(source) => (self.uploaded(request, source).await?, source.is_repeatable()),
        };
        let response = match outcome {
            Ok(response) => response,
            Err(Broken::Unsent(passed)) if is_repeatable => return Err(Unbegun::Passed(passed)),
            Err(broken) => return Err(self.gone(broken, None).into()),
        };
        if response.status() == StatusCode::SERVICE_UNAVAILABLE && is_repeatable {
            let words = self.text(response).await.map_err(|why| self.lost(why, None))?;
            return Err(Unbegun::Passed(Passed::Busy(said(&words))));
        }
        let pin = if response.status().is_success() { self.following(&response)? } else { self.clone() };
        let text = self.success(response, None).await?;
        Ok((pin, self.json(&text, None)?))
    }

    /// Sends a file into a session of this node.
    pub(super) async fn send(
        &self,
        path: &str,
        source: &mut Source,
        headers: &Headers,
        session: &str,
    ) -> Result<Value, Error> {
        let outcome = self.uploaded(|| self.with_headers(path, headers), source).await?;
        let response = outcome.map_err(|broken| self.gone(broken, Some(session)))?;
        let text = self.success(response, Some(session)).await?;
        self.json(&text, Some(session))
    }

    /// Sends a source. A node that breaks it off in the middle has not begun anything, and may have said why before it
    /// closed the connection, unheard: it is sent again to the same node, some times.
    ///
    /// # Errors
    /// The source cannot be read.
    async fn uploaded(
        &self,
        request: impl Fn() -> RequestBuilder,
        source: &mut Source,
    ) -> Result<Result<Response, Broken>, Error> {
        let mut again = BREAKS;
        loop {
            let (body, len) = source.body().await?;
            // Core nodes want the length, also that of nothing.
            let request = request().header(CONTENT_LENGTH, len).body(body);
            let outcome = self.watched(request, &source.sent()).await;
            if let Some(failure) = source.take_failure() {
                return Err(failure);
            }
            match outcome {
                Err(Broken::Lost { is_silent: false, .. })
                    if again > 0 && source.is_repeatable() && !source.is_sent() =>
                {
                    again -= 1;
                }
                outcome => return Ok(outcome),
            }
        }
    }

    /// Asks something about a session of this node: what may be asked twice, since it is asked again when the node cannot be
    /// reached, for as long as that may last.
    pub(super) async fn ask(&self, method: Method, path: &str, session: &str) -> Result<Value, Error> {
        let text = self.ask_text(method, path, session).await?;
        self.json(&text, Some(session))
    }

    /// The same for an answer that is text.
    pub(super) async fn ask_text(&self, method: Method, path: &str, session: &str) -> Result<String, Error> {
        let mut backoff = Backoff::within(self.options().outage_timeout, WAITS);
        loop {
            let outcome = match self.watched(self.request(method.clone(), path), &Arc::default()).await {
                Ok(response) => self.success(response, Some(session)).await,
                Err(broken) => Err(self.gone(broken, Some(session))),
            };
            match outcome {
                Err(error) if error.is_passing() && backoff.wait().await => {}
                // A balancer answers in the place of a node that it cannot reach.
                Err(error) if error.is_passing() && self.options().affinity == Affinity::Cookie => {
                    return Err(self.lost(error.to_string(), Some(session)));
                }
                other => return other,
            }
        }
    }

    /// An answer that is none of a Core node.
    pub(super) fn odd(&self, session: Option<&str>, why: String) -> Error {
        Error::Odd { at: self.at(session), why }
    }

    fn json(&self, text: &str, session: Option<&str>) -> Result<Value, Error> {
        serde_json::from_str(text).map_err(|error| self.odd(session, error.to_string()))
    }

    fn with_headers(&self, path: &str, headers: &Headers) -> RequestBuilder {
        headers.iter().fold(self.request(Method::POST, path), |request, (name, value)| request.header(name, value))
    }

    fn lost(&self, why: String, session: Option<&str>) -> Error {
        Error::NodeGone { at: self.at(session), why }
    }

    fn gone(&self, broken: Broken, session: Option<&str>) -> Error {
        let why = match broken {
            Broken::Unsent(Passed::Dead(why) | Passed::Busy(why) | Passed::Stranger(why))
            | Broken::Lost { why, .. } => why,
        };
        self.lost(why, session)
    }

    /// Sends a request, for as long as something of it moves.
    async fn watched(&self, request: RequestBuilder, sent: &Arc<AtomicU64>) -> Result<Response, Broken> {
        let mut sending = std::pin::pin!(request.send());
        let mut before = 0;
        loop {
            match tokio::time::timeout(self.options().stall_timeout, &mut sending).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) if error.is_connect() => return Err(Broken::Unsent(unsent(&error))),
                Ok(Err(error)) => {
                    return Err(Broken::Lost { why: innermost(&error).to_string(), is_silent: false });
                }
                Err(_) => {
                    let now = sent.load(Ordering::Relaxed);
                    if now == before {
                        return Err(Broken::Lost { why: self.stalled(), is_silent: true });
                    }
                    before = now;
                }
            }
        }
    }

    fn stalled(&self) -> String {
        format!("nothing has moved for {:?}", self.options().stall_timeout)
    }

    /// The text of an answer, or the error that it is. Of sessions that it does not know, a node says so with any status.
    async fn success(&self, response: Response, session: Option<&str>) -> Result<String, Error> {
        let (at, status) = (self.at(session), response.status());
        let text = self.text(response).await.map_err(|why| self.lost(why, session))?;
        if session.is_some_and(|session| is_unknown(session, &text)) {
            Err(Error::WrongNode(at))
        } else if !status.is_success() {
            Err(Error::of_answer(at, status.as_u16(), said(&text)))
        } else {
            Ok(text)
        }
    }

    /// All of an answer, for as long as something of it moves.
    async fn text(&self, mut response: Response) -> Result<String, String> {
        let mut bytes = Vec::new();
        loop {
            match tokio::time::timeout(self.options().stall_timeout, response.chunk()).await {
                Ok(Ok(Some(chunk))) if bytes.len() + chunk.len() <= LONGEST_ANSWER => bytes.extend_from_slice(&chunk),
                Ok(Ok(Some(_))) => return Err(format!("its answer is longer than {LONGEST_ANSWER} bytes")),
                Ok(Ok(None)) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
                Ok(Err(error)) => return Err(innermost(&error).to_string()),
                Err(_) => return Err(self.stalled()),
            }
        }
    }
}

/// Why there was no connection: a certificate that is not the right one will be the same in a moment.
fn unsent(error: &reqwest::Error) -> Passed {
    let why = innermost(error).to_string();
    if is_certificate(error) { Passed::Stranger(why) } else { Passed::Dead(why) }
}

/// The error at the bottom of a chain: the one that says what happened.
fn innermost<'e>(error: &'e (dyn StdError + 'static)) -> &'e (dyn StdError + 'static) {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}

/// Whether an error comes from the node's certificate.
fn is_certificate(error: &(dyn StdError + 'static)) -> bool {
    // An I/O error does not tell of the one within it as its source.
    let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)))
        || within.is_some_and(|within| is_certificate(within))
        || error.source().is_some_and(is_certificate)
}

/// Whether an answer is what a node says of sessions that it does not know: `{"<id>":"Not Found"}`.
fn is_unknown(session: &str, text: &str) -> bool {
    // Short, so that no long answer is read twice.
    let json = (text.len() < 200).then(|| serde_json::from_str::<Value>(text).ok()).flatten();
    json.is_some_and(|json| json.get(session).and_then(Value::as_str) == Some("Not Found"))
}

/// What stands in `err`, or all of it, as a terminal may show it.
fn said(text: &str) -> String {
    let json = serde_json::from_str::<Value>(text).ok();
    let err = json.as_ref().and_then(|json| json.get("err")).and_then(Value::as_str);
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    err.unwrap_or(text).chars().take(LONGEST_WORDS).map(visible).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_server_are_short_and_harmless() {
        assert_eq!(said(r#"{"err":"Access denied"}"#), "Access denied");
        assert_eq!(said("<html>\u{1b}[31m502\n</html>"), "<html> [31m502 </html>");
        assert_eq!(said(&"x".repeat(5000)).len(), LONGEST_WORDS);
        assert!(is_unknown("3f2a", r#"{"3f2a":"Not Found"}"#));
        assert!(!is_unknown("3f2a", r#"{"3f2b":"Not Found"}"#) && !is_unknown("3f2a", "Not Found"));
    }
}
