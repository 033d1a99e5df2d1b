//! One node, and a client that reaches nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, COOKIE, HeaderValue, SET_COOKIE};
use reqwest::{Client, Method, RequestBuilder, Response, Url, redirect};
use serde_json::Value;

use super::error::{At, Error};
use super::options::{Affinity, Options};
use super::source::Source;
use crate::cause::innermost;

/// A node that was chosen. Everything that is asked through it goes there, under the shared name.
#[derive(Clone, Debug)]
pub struct Pin {
    node: SocketAddr,
    client: Client,
    options: Arc<Options>,
    /// What a balancer gave this session to find its node again.
    cookie: Option<HeaderValue>,
}

/// How a request that begins a session has failed.
pub(super) enum Unbegun {
    /// Nothing reached the node: another one may be asked.
    Unsent(String),
    /// The node is too busy, and says so: another one may be asked.
    Busy(String),
    /// No other node can help.
    Failed(Error),
}

impl From<Error> for Unbegun {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Pin {
    /// A client for one address: connections of its own, the shared name in Host and SNI, no proxy between, no redirect to
    /// anybody else.
    pub(super) fn to(node: SocketAddr, options: &Arc<Options>, cookie: Option<HeaderValue>) -> Result<Self, Error> {
        let client = Client::builder()
            .tls_backend_preconfigured(options.tls.config().as_ref().clone())
            .no_proxy()
            .redirect(redirect::Policy::none())
            .http1_only()
            .connect_timeout(options.connect_timeout)
            .resolve(&options.host, node)
            .user_agent(concat!("evenkeel/", env!("CARGO_PKG_VERSION")))
            .build();
        let client = client.map_err(|error| Error::Setup(error.to_string()))?;
        Ok(Self { node, client, options: Arc::clone(options), cookie })
    }

    /// The node.
    pub fn node(&self) -> SocketAddr {
        self.node
    }

    /// The HTTP client. Requests go to the node whatever they ask for under the shared name.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A URL of the node: the shared name with this path.
    pub fn url(&self, path: &str) -> Url {
        let mut url = self.options.url.clone();
        url.set_path(path);
        url
    }

    /// What makes curl reach the node under the shared name: `--resolve core.lb.example:8008:10.0.0.11`.
    pub fn curl_arguments(&self) -> String {
        let Options { host, port, .. } = &*self.options;
        match self.node {
            SocketAddr::V4(node) => format!("--resolve {host}:{port}:{}", node.ip()),
            SocketAddr::V6(node) => format!("--resolve {host}:{port}:[{}]", node.ip()),
        }
    }

    pub(super) fn cookie(&self) -> Option<&HeaderValue> {
        self.cookie.as_ref()
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    pub(super) fn at(&self, session: Option<&str>) -> At {
        At { node: self.node, session: session.map(str::to_owned) }
    }

    /// The same for the rest of a session that an answer has begun.
    fn following(&self, answer: &Response) -> Self {
        let cookie = match self.options.affinity {
            Affinity::Address => None,
            Affinity::Cookie => {
                let values = answer.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
                let pairs: Vec<_> = values.filter_map(|value| value.split(';').next()).map(str::trim).collect();
                (!pairs.is_empty()).then(|| HeaderValue::from_str(&pairs.join("; ")).ok()).flatten()
            }
        };
        Self { cookie, ..self.clone() }
    }

    /// A request, with whatever its session needs.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.client.request(method, self.url(path));
        if let Some(apikey) = &self.options.apikey {
            request = request.header("apikey", apikey);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        request
    }

    /// A request that sends something.
    fn upload(&self, path: &str, headers: &[(&'static str, HeaderValue)]) -> RequestBuilder {
        headers.iter().fold(self.request(Method::POST, path), |request, (name, value)| request.header(*name, value))
    }

    /// Begins a session with a request that may be sent to another node if this one does not take it.
    pub(super) async fn begin(
        &self,
        path: &str,
        mut source: Option<&mut Source>,
        headers: &[(&'static str, HeaderValue)],
    ) -> Result<(Self, Value), Unbegun> {
        let mut request = self.upload(path, headers);
        let sent = source.as_ref().map(|source| source.sent()).unwrap_or_default();
        if let Some(source) = &mut source {
            request = with_body(request, source.body().await?);
        }
        let response = match self.watched(request, &sent).await {
            Ok(response) => response,
            Err(Broken::Unsent(why)) => return Err(Unbegun::Unsent(why)),
            Err(Broken::Lost(why)) => return Err(Error::NodeGone { at: self.at(None), why }.into()),
        };
        let pin = self.following(&response);
        let is_repeatable = source.is_none_or(|source| source.is_repeatable());
        if response.status().as_u16() == 503 && is_repeatable {
            return Err(Unbegun::Busy(words(response).await));
        }
        Ok((pin, self.answer(response, None).await?))
    }

    /// Sends a file into a session of this node.
    pub(super) async fn send(
        &self,
        path: &str,
        source: &mut Source,
        headers: &[(&'static str, HeaderValue)],
        session: &str,
    ) -> Result<Value, Error> {
        let sent = source.sent();
        let request = with_body(self.upload(path, headers), source.body().await?);
        let response = self.watched(request, &sent).await.map_err(|broken| self.gone(broken, session))?;
        self.answer(response, Some(session)).await
    }

    /// Asks something about a session of this node.
    pub(super) async fn ask(&self, method: Method, path: &str, session: &str) -> Result<Value, Error> {
        let response = self.response(method, path, session).await?;
        self.answer(response, Some(session)).await
    }

    /// The same for an answer that is text.
    pub(super) async fn ask_text(&self, path: &str, session: &str) -> Result<String, Error> {
        let response = self.response(Method::GET, path, session).await?;
        let status = response.status();
        let text = words(response).await;
        if status.is_success() {
            Ok(text)
        } else {
            Err(Error::of_answer(self.at(Some(session)), status.as_u16(), text))
        }
    }

    async fn response(&self, method: Method, path: &str, session: &str) -> Result<Response, Error> {
        let sent = Arc::default();
        let response = self.watched(self.request(method, path), &sent).await;
        response.map_err(|broken| self.gone(broken, session))
    }

    fn gone(&self, broken: Broken, session: &str) -> Error {
        let (Broken::Unsent(why) | Broken::Lost(why)) = broken;
        Error::NodeGone { at: self.at(Some(session)), why }
    }

    /// Sends a request, for as long as something of it moves.
    async fn watched(&self, request: RequestBuilder, sent: &Arc<AtomicU64>) -> Result<Response, Broken> {
        let mut sending = std::pin::pin!(request.send());
        let mut before = 0;
        loop {
            match tokio::time::timeout(self.options.stall_timeout, &mut sending).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) if error.is_connect() => return Err(Broken::Unsent(innermost(&error).to_string())),
                Ok(Err(error)) => return Err(Broken::Lost(innermost(&error).to_string())),
                Err(_) => {
                    let now = sent.load(Ordering::Relaxed);
                    if now == before {
                        let timeout = self.options.stall_timeout;
                        return Err(Broken::Lost(format!("nothing has moved for {timeout:?}")));
                    }
                    before = now;
                }
            }
        }
    }

    /// The JSON of an answer, or the error that it is. Of sessions that it does not know, a node says so with any status.
    async fn answer(&self, response: Response, session: Option<&str>) -> Result<Value, Error> {
        let (at, status) = (self.at(session), response.status());
        let text = words_of(response, self.options.stall_timeout).await;
        let text = text.map_err(|why| Error::NodeGone { at: at.clone(), why })?;
        let json = serde_json::from_str::<Value>(&text);
        if let (Some(session), Ok(json)) = (session, &json)
            && json.get(session).and_then(Value::as_str) == Some("Not Found")
        {
            return Err(Error::WrongNode(at));
        }
        if !status.is_success() {
            return Err(Error::of_answer(at, status.as_u16(), said(&text)));
        }
        json.map_err(|error| Error::Odd { at, why: error.to_string() })
    }
}

/// Core nodes want the length, also that of nothing.
fn with_body(request: RequestBuilder, (body, len): (reqwest::Body, u64)) -> RequestBuilder {
    request.header(CONTENT_LENGTH, len).body(body)
}

/// How a request has broken off.
enum Broken {
    /// There was no connection: the node has not seen it.
    Unsent(String),
    /// The node may have seen it.
    Lost(String),
}

/// What stands in `err`, or all of it.
fn said(text: &str) -> String {
    let json = serde_json::from_str::<Value>(text).ok();
    let err = json.as_ref().and_then(|json| json.get("err")).and_then(Value::as_str);
    err.unwrap_or(text).chars().take(200).collect()
}

async fn words(response: Response) -> String {
    said(&words_of(response, Duration::from_secs(10)).await.unwrap_or_default())
}

async fn words_of(response: Response, patience: Duration) -> Result<String, String> {
    match tokio::time::timeout(patience, response.bytes()).await {
        Ok(Ok(bytes)) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Ok(Err(error)) => Err(innermost(&error).to_string()),
        Err(_) => Err(format!("nothing has moved for {patience:?}")),
    }
}
