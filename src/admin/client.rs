//! How the commands speak to a server.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Client, Method, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::PATIENCE;
use super::api::Saying;
use crate::health::TlsClient;
use crate::pool::Word;
use crate::status::Status;

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

impl Server {
    /// The server behind a socket.
    ///
    /// # Errors
    /// No client can be made.
    pub fn at(socket: &Path) -> anyhow::Result<Self> {
        let client = Client::builder()
            .tls_backend_preconfigured(TlsClient::trusting_nobody().config().as_ref().clone())
            .unix_socket(socket)
            .timeout(PATIENCE)
            .build()?;
        Ok(Self { client, socket: socket.display().to_string() })
    }

    /// How everything stands.
    ///
    /// # Errors
    /// The server is not there, or answers something else.
    pub async fn status(&self) -> anyhow::Result<Status> {
        self.ask(Method::GET, &["status"], None, None).await
    }

    /// Says something of `pool/node`.
    ///
    /// # Errors
    /// It was not done; the message says why.
    pub async fn say(&self, pool: &str, node: &str, say: Say) -> anyhow::Result<()> {
        let Say { word, by, why, lasting, force } = say;
        let saying = Saying { word, by, why, seconds: lasting.map(|lasting| lasting.as_secs()), force };
        let body = serde_json::to_value(saying)?;
        self.ask(Method::PUT, &["overrides", pool, node], None, Some(body)).await.map(|_: Value| ())
    }

    /// Takes back what was said of `pool/node`.
    ///
    /// # Errors
    /// It was not done; the message says why.
    pub async fn take_back(&self, pool: &str, node: &str, by: &str) -> anyhow::Result<()> {
        self.ask(Method::DELETE, &["overrides", pool, node], Some(by), None).await.map(|_: Value| ())
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        by: Option<&str>,
        body: Option<Value>,
    ) -> anyhow::Result<T> {
        // The host is never looked up: the socket is the server.
        let mut url = Url::parse("http://evenkeel/v1")?;
        url.path_segments_mut().map_err(|()| anyhow::anyhow!("a URL with a path"))?.extend(path);
        if let Some(by) = by {
            url.query_pairs_mut().append_pair("by", by);
        }
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let no_server = || format!("no server answers at {} (another one with --socket)", self.socket);
        let response = request.send().await.with_context(no_server)?;
        let status = response.status();
        let text = response.bytes().await.with_context(no_server)?;
        if !status.is_success() {
            let said = serde_json::from_slice::<Value>(&text).ok();
            let err = said.as_ref().and_then(|said| said.get("err")).and_then(Value::as_str).map(str::to_owned);
            bail!("{}", err.unwrap_or_else(|| format!("{status}: {}", String::from_utf8_lossy(&text))));
        }
        serde_json::from_slice(&text).context("the server answers something else than this program understands")
    }
}
