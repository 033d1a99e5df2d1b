//! The client of the admin API that the commands use.

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

/// What every change of a node says: who asks for it, why, and for how long.
#[derive(Debug)]
pub struct Circumstances {
    /// Who asks.
    pub by: String,
    /// Why; may be empty.
    pub why: String,
    /// How long it lasts; without, until it is taken back.
    pub lasting: Option<Duration>,
    /// Also if too few active nodes are left.
    pub force: bool,
}

/// A nomination.
#[derive(Debug)]
pub struct Nominate {
    /// Who asks, why, and for how long. `force` nominates also a backup that is not alive.
    pub circumstances: Circumstances,
    /// The active node of the pool that it replaces.
    pub replaces: Option<String>,
    /// Change the role only.
    pub without_action: bool,
}

/// A way back from a nomination.
#[derive(Clone, Copy, Debug)]
pub struct Unregister<'a> {
    /// Who asks.
    pub by: &'a str,
    /// Also if too few active nodes are left.
    pub force: bool,
    /// Change the role only.
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
            // The server ends connections after a time, which must not hit a later request.
            .pool_max_idle_per_host(0)
            .timeout(CONNECTION)
            .build()?;
        Ok(Self { client, socket: socket.display().to_string() })
    }

    /// The state of the server.
    ///
    /// # Errors
    /// The server is not there, or its response is not understood.
    pub async fn status(&self) -> anyhow::Result<Status> {
        self.ask(Method::GET, &["status"], &[], None).await
    }

    /// Sets the override of a node.
    ///
    /// # Errors
    /// It was not set; the message says why.
    pub async fn set_override(
        &self,
        node: &NodeId,
        state: ForcedState,
        circumstances: Circumstances,
    ) -> anyhow::Result<()> {
        let Circumstances { by, why, lasting, force } = circumstances;
        let body = OverrideBody { state, by, why, seconds: lasting.map(|lasting| lasting.as_secs()), force };
        let body = serde_json::to_value(body)?;
        let path = ["overrides", node.pool(), node.node()];
        self.ask(Method::PUT, &path, &[], Some(body)).await.map(|_: Value| ())
    }

    /// Removes the override of a node.
    ///
    /// # Errors
    /// It was not removed; the message says why.
    pub async fn remove_override(&self, node: &NodeId, by: &str) -> anyhow::Result<()> {
        let path = ["overrides", node.pool(), node.node()];
        self.ask(Method::DELETE, &path, &[("by", by.to_owned())], None).await.map(|_: Value| ())
    }

    /// Makes a backup active. Returns why its action was skipped, if it was.
    ///
    /// # Errors
    /// It was not nominated; the message says why.
    pub async fn nominate(&self, node: &NodeId, nominate: Nominate) -> anyhow::Result<Option<String>> {
        let Nominate { circumstances: Circumstances { by, why, lasting, force }, replaces, without_action } = nominate;
        let seconds = lasting.map(|lasting| lasting.as_secs());
        let body = serde_json::to_value(NominationBody { by, why, replaces, seconds, force, without_action })?;
        let path = ["nominations", node.pool(), node.node()];
        let response: Value = self.ask(Method::PUT, &path, &[], Some(body)).await?;
        Ok(response.get("action_skipped").and_then(Value::as_str).map(str::to_owned))
    }

    /// Makes a nominated node a backup again.
    ///
    /// # Errors
    /// It was not unregistered; the message says why.
    pub async fn unregister(&self, node: &NodeId, unregister: Unregister<'_>) -> anyhow::Result<()> {
        let Unregister { by, force, without_action } = unregister;
        let query =
            [("by", by.to_owned()), ("force", force.to_string()), ("without_action", without_action.to_string())];
        let path = ["nominations", node.pool(), node.node()];
        self.ask(Method::DELETE, &path, &query, None).await.map(|_: Value| ())
    }

    /// At most `limit` events after the last one of a page, or the latest ones. Waits for the first.
    ///
    /// # Errors
    /// The server is not there, or its response is not understood.
    pub async fn events(&self, after: Option<&Page>, limit: usize) -> anyhow::Result<Page> {
        let mut query = vec![("limit", limit.to_string())];
        if let Some(after) = after {
            let number = after.events.last().map_or(after.last, |event| event.number);
            query.push(("after", number.to_string()));
            query.push(("run", after.run.to_string()));
            query.push(("wait", LONGEST_EVENT_WAIT.to_string()));
        }
        self.ask(Method::GET, &["events"], &query, None).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<Value>,
    ) -> anyhow::Result<T> {
        // The host is never looked up: the socket is the server.
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
        let broken = || format!("the server at {socket} closed the connection; the request may have been carried out");
        let response = request.send().await.map_err(|error| {
            let is_missing = error.is_connect();
            let error = anyhow::Error::new(error);
            if is_missing {
                // Only the root cause is about the socket.
                let cause = error.root_cause();
                anyhow::anyhow!("no server answers at {socket} (another one with --socket): {cause}")
            } else {
                error.context(broken())
            }
        })?;
        let status = response.status();
        let text = response.bytes().await.with_context(broken)?;
        if !status.is_success() {
            let body = serde_json::from_slice::<Value>(&text).ok();
            let err = body.as_ref().and_then(|body| body.get("err")).and_then(Value::as_str).map(str::to_owned);
            bail!("{}", err.unwrap_or_else(|| format!("{status}: {}", String::from_utf8_lossy(&text))));
        }
        serde_json::from_slice(&text).context("this program does not understand the response of the server")
    }
}
