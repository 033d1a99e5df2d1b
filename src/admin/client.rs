//! The client of the admin API, for the commands.
//!
//! Each call sends one request over the Unix socket. It fails if no server answers, or with the
//! reason that the server gives.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use evenkeel_core::node_id::NodeId;
use evenkeel_core::pool::ForcedState;
use evenkeel_core::status::Status;
use reqwest::{Client, Method, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::api::{NominationBody, OverrideBody};
use super::timeouts::{CONNECTION, LONGEST_EVENT_WAIT};
use crate::events::Page;
use crate::tls::TlsClient;

/// The admin API behind a Unix socket.
#[derive(Debug)]
pub struct AdminClient {
    client: Client,
    socket: String,
}

/// The options of every change of a node by an operator.
#[derive(Debug)]
pub struct ChangeOptions {
    /// The operator.
    pub by: String,
    /// The reason; may be empty.
    pub why: String,
    /// How long it lasts. Without this, it lasts until it is taken back.
    pub duration: Option<Duration>,
    /// Change the node even if too few active nodes are left.
    pub force: bool,
}

/// A nomination.
#[derive(Debug)]
pub struct Nominate {
    /// With `force`, the backup is nominated even if neither its monitors nor its standby
    /// monitors find it up.
    pub options: ChangeOptions,
    /// The active node of the pool that it replaces.
    pub replaces: Option<String>,
    /// Change the role without the configured action.
    pub without_action: bool,
}

/// The end of a nomination.
#[derive(Clone, Copy, Debug)]
pub struct Demote<'a> {
    /// The operator.
    pub by: &'a str,
    /// Change the node even if too few active nodes are left.
    pub force: bool,
    /// Change the role without the configured action.
    pub without_action: bool,
}

impl AdminClient {
    /// The API behind a socket.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn at(socket: &Path) -> anyhow::Result<Self> {
        let client = Client::builder()
            .tls_backend_preconfigured(TlsClient::trusting_no_server().config().as_ref().clone())
            .unix_socket(socket)
            // The server closes connections after a time, which must not break a later request.
            .pool_max_idle_per_host(0)
            .timeout(CONNECTION)
            .build()?;
        Ok(Self { client, socket: socket.display().to_string() })
    }

    /// The state of the server.
    ///
    /// # Errors
    /// No server answers, or this program does not understand the response.
    pub async fn status(&self) -> anyhow::Result<Status> {
        self.request(Method::GET, &["status"], &[], None).await
    }

    /// Sets the override of a node.
    ///
    /// # Errors
    /// It was not set; the message says why.
    pub async fn set_override(&self, node: &NodeId, state: ForcedState, options: ChangeOptions) -> anyhow::Result<()> {
        let ChangeOptions { by, why, duration, force } = options;
        let body = OverrideBody { state, by, why, seconds: duration.map(|duration| duration.as_secs()), force };
        let body = serde_json::to_value(body)?;
        let path = ["overrides", node.pool(), node.node()];
        self.request(Method::PUT, &path, &[], Some(body)).await.map(|_: Value| ())
    }

    /// Removes the override of a node.
    ///
    /// # Errors
    /// It was not removed; the message says why.
    pub async fn remove_override(&self, node: &NodeId, by: &str) -> anyhow::Result<()> {
        let path = ["overrides", node.pool(), node.node()];
        self.request(Method::DELETE, &path, &[("by", by.to_owned())], None).await.map(|_: Value| ())
    }

    /// Makes a backup active. If its action was skipped, returns why.
    ///
    /// # Errors
    /// It was not nominated; the message says why.
    pub async fn nominate(&self, node: &NodeId, nominate: Nominate) -> anyhow::Result<Option<String>> {
        let Nominate { options: ChangeOptions { by, why, duration, force }, replaces, without_action } = nominate;
        let seconds = duration.map(|duration| duration.as_secs());
        let body = serde_json::to_value(NominationBody { by, why, replaces, seconds, force, without_action })?;
        let path = ["nominations", node.pool(), node.node()];
        let response: Value = self.request(Method::PUT, &path, &[], Some(body)).await?;
        Ok(response.get("action_skipped").and_then(Value::as_str).map(str::to_owned))
    }

    /// Makes a nominated node a backup again.
    ///
    /// # Errors
    /// It was not demoted; the message says why.
    pub async fn demote(&self, node: &NodeId, demote: Demote<'_>) -> anyhow::Result<()> {
        let Demote { by, force, without_action } = demote;
        let query =
            [("by", by.to_owned()), ("force", force.to_string()), ("without_action", without_action.to_string())];
        let path = ["nominations", node.pool(), node.node()];
        self.request(Method::DELETE, &path, &query, None).await.map(|_: Value| ())
    }

    /// At most `limit` events after the last one of a page, or the latest ones. Waits if there is
    /// none after the page.
    ///
    /// # Errors
    /// No server answers, or this program does not understand the response.
    pub async fn events(&self, after: Option<&Page>, limit: usize) -> anyhow::Result<Page> {
        let mut query = vec![("limit", limit.to_string())];
        if let Some(after) = after {
            let number = after.events.last().map_or(after.last, |event| event.number);
            query.push(("after", number.to_string()));
            query.push(("run", after.run.to_string()));
            query.push(("wait", LONGEST_EVENT_WAIT.to_string()));
        }
        self.request(Method::GET, &["events"], &query, None).await
    }

    /// Sends one request below `/v1` and parses the response.
    async fn request<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<Value>,
    ) -> anyhow::Result<T> {
        // The host name is never resolved: requests go to the socket.
        let mut url = Url::parse("http://evenkeel/v1")?;
        url.path_segments_mut().map_err(|()| anyhow::anyhow!("a URL with a path"))?.extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let socket = &self.socket;
        let closed = || format!("the server at {socket} closed the connection; the request may have been carried out");
        let response = request.send().await.map_err(|error| {
            let is_missing = error.is_connect();
            let error = anyhow::Error::new(error);
            if is_missing {
                // The other causes speak of a URL that users do not know.
                let cause = error.root_cause();
                anyhow::anyhow!("no server answers at {socket}: {cause}; use --socket if the admin socket is elsewhere")
            } else {
                error.context(closed())
            }
        })?;
        let status = response.status();
        let text = response.bytes().await.with_context(closed)?;
        if !status.is_success() {
            let body = serde_json::from_slice::<Value>(&text).ok();
            let err = body.as_ref().and_then(|body| body.get("err")).and_then(Value::as_str).map(str::to_owned);
            bail!("{}", err.unwrap_or_else(|| format!("{status}: {}", String::from_utf8_lossy(&text))));
        }
        serde_json::from_slice(&text).context("this program does not understand the response of the server")
    }
}
