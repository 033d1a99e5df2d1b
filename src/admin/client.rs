//! How the commands speak to a server.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Client, Method, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::PATIENCE;
use super::api::{LONGEST_WAIT, Nominating, Saying};
use crate::events::Page;
use crate::pool::Word;
use crate::status::Status;
use crate::tls::TlsClient;

/// A server's socket.
#[derive(Debug)]
pub struct Server {
    client: Client,
    socket: String,
}

/// What is said of a node, before the server adds the time.
#[derive(Debug)]
pub struct Say {
    /// What.
    pub word: Word,
    /// By whom.
    pub by: String,
    /// Why; may be empty.
    pub why: String,
    /// For how long; for good without.
    pub lasting: Option<Duration>,
    /// Also when too few nodes are left.
    pub force: bool,
}

/// A backup that is to be active.
#[derive(Debug)]
pub struct Nominate {
    /// By whom.
    pub by: String,
    /// Why; may be empty.
    pub why: String,
    /// The active node of the pool that it replaces.
    pub replaces: Option<String>,
    /// For how long; for good without.
    pub lasting: Option<Duration>,
    /// Also when it is not alive, or too few nodes are left.
    pub force: bool,
    /// Only the role.
    pub without_action: bool,
}

impl Server {
    /// The server behind a socket.
    ///
    /// # Errors
    /// No client can be made.
    pub fn at(socket: &Path) -> anyhow::Result<Self> {
        let client = Client::builder()
            .tls_backend_preconfigured(TlsClient::trusting_nobody().config().as_ref().clone())
            .unix_socket(socket)
            // The server ends connections after a time, which must not be in the midst of a later request.
            .pool_max_idle_per_host(0)
            .timeout(PATIENCE)
            .build()?;
        Ok(Self { client, socket: socket.display().to_string() })
    }

    /// How everything stands.
    ///
    /// # Errors
    /// The server is not there, or answers something else.
    pub async fn status(&self) -> anyhow::Result<Status> {
        self.ask(Method::GET, &["status"], &[], None).await
    }

    /// Says something of `pool/node`.
    ///
    /// # Errors
    /// It was not done; the message says why.
    pub async fn say(&self, pool: &str, node: &str, say: Say) -> anyhow::Result<()> {
        let Say { word, by, why, lasting, force } = say;
        let saying = Saying { word, by, why, seconds: lasting.map(|lasting| lasting.as_secs()), force };
        let body = serde_json::to_value(saying)?;
        self.ask(Method::PUT, &["overrides", pool, node], &[], Some(body)).await.map(|_: Value| ())
    }

    /// Takes back what was said of `pool/node`.
    ///
    /// # Errors
    /// It was not done; the message says why.
    pub async fn take_back(&self, pool: &str, node: &str, by: &str) -> anyhow::Result<()> {
        self.ask(Method::DELETE, &["overrides", pool, node], &[("by", by.to_owned())], None).await.map(|_: Value| ())
    }

    /// Makes `pool/node` active; gives why its action was left out, if it was.
    ///
    /// # Errors
    /// It was not done; the message says why.
    pub async fn nominate(&self, pool: &str, node: &str, nominate: Nominate) -> anyhow::Result<Option<String>> {
        let Nominate { by, why, replaces, lasting, force, without_action } = nominate;
        let seconds = lasting.map(|lasting| lasting.as_secs());
        let nominating = Nominating { by, why, replaces, seconds, force, without_action };
        let body = serde_json::to_value(nominating)?;
        let answer: Value = self.ask(Method::PUT, &["nominations", pool, node], &[], Some(body)).await?;
        Ok(answer.get("action_left_out").and_then(Value::as_str).map(str::to_owned))
    }

    /// Makes `pool/node`, which is nominated, a backup again.
    ///
    /// # Errors
    /// It was not done; the message says why.
    pub async fn unregister(
        &self,
        pool: &str,
        node: &str,
        by: &str,
        force: bool,
        without_action: bool,
    ) -> anyhow::Result<()> {
        let query =
            [("by", by.to_owned()), ("force", force.to_string()), ("without_action", without_action.to_string())];
        self.ask(Method::DELETE, &["nominations", pool, node], &query, None).await.map(|_: Value| ())
    }

    /// At most `limit` events after the last one of a page, for the first of which it waits, or the last ones.
    ///
    /// # Errors
    /// The server is not there, or answers something else.
    pub async fn events(&self, after: Option<&Page>, limit: usize) -> anyhow::Result<Page> {
        let mut query = vec![("limit", limit.to_string())];
        if let Some(after) = after {
            let number = after.events.last().map_or(after.last, |event| event.number);
            query.push(("after", number.to_string()));
            query.push(("run", after.run.to_string()));
            query.push(("wait", LONGEST_WAIT.to_string()));
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
        let broken = || format!("the server at {socket} has broken off; what was asked may have been done");
        let response = request.send().await.map_err(|error| {
            let nobody = error.is_connect();
            let error = anyhow::Error::new(error);
            if nobody {
                // Only the last of the causes is about the socket; the others are about a request that was not made.
                let cause = error.root_cause();
                anyhow::anyhow!("no server answers at {socket} (another one with --socket): {cause}")
            } else {
                error.context(broken())
            }
        })?;
        let status = response.status();
        let text = response.bytes().await.with_context(broken)?;
        if !status.is_success() {
            let said = serde_json::from_slice::<Value>(&text).ok();
            let err = said.as_ref().and_then(|said| said.get("err")).and_then(Value::as_str).map(str::to_owned);
            bail!("{}", err.unwrap_or_else(|| format!("{status}: {}", String::from_utf8_lossy(&text))));
        }
        serde_json::from_slice(&text).context("the server answers something else than this program understands")
    }
}
