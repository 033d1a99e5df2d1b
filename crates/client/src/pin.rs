//! A pin: one node, and requests that all reach it.
//!
//! The search creates pins, sessions keep them, and callers use them for requests of their own. The
//! REST calls are in [`api`](crate::api), retries in [`exchange`](crate::exchange). Creating one
//! fails only if the HTTP client cannot be set up.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::header::{COOKIE, HeaderMap, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Url};

use crate::cluster_state::ClusterState;
use crate::cookie;
use crate::error::{Error, SessionRef};
use crate::options::{Affinity, Options};
use crate::ticket::{SessionKind, Ticket};

/// One node of a cluster. All requests of a pin reach this node, under the shared name.
#[derive(Clone)]
pub struct Pin {
    node: SocketAddr,
    client: Client,
    cluster: Arc<ClusterState>,
    /// The cookie that a balancer set for this session.
    cookie: Option<HeaderValue>,
}

/// Without the cookie, which is as secret as the session.
impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pin").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Pin {
    /// A pin to a node of the cluster, with the cookie of its session.
    ///
    /// # Errors
    /// The HTTP client of the node cannot be set up.
    pub(crate) fn new(
        node: SocketAddr,
        cluster: &Arc<ClusterState>,
        cookie: Option<HeaderValue>,
    ) -> Result<Self, Error> {
        let client = cluster.connections.client(node, &cluster.options)?;
        Ok(Self { node, client, cluster: Arc::clone(cluster), cookie })
    }

    /// The node.
    pub fn node(&self) -> SocketAddr {
        self.node
    }

    /// A request to the node under the shared name, with the API key and the cookie of the session
    /// if there are any. `path` begins with `/` and may have a query.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.client.request(method, self.url(path));
        if let Some(apikey) = &self.options().apikey {
            request = request.header("apikey", apikey);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        request
    }

    /// The URL of a path under the shared name. `path` begins with `/` and may have a query.
    pub fn url(&self, path: &str) -> Url {
        let mut url = self.options().url.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(path);
        url.set_query(query);
        url
    }

    /// The arguments with which curl reaches the node under the shared name: `--resolve
    /// core.lb.example:8008:10.0.0.11`. Empty if the cluster is an address, which curl needs no
    /// help with.
    pub fn curl_arguments(&self) -> String {
        let Options { host, port, .. } = self.options();
        if host.parse::<IpAddr>().is_ok() {
            return String::new();
        }
        match self.node {
            SocketAddr::V4(node) => format!("--resolve {host}:{port}:{}", node.ip()),
            SocketAddr::V6(node) => format!("--resolve {host}:{port}:[{}]", node.ip()),
        }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.cluster.options
    }

    /// The pin for the later requests of the session that a response with these headers started.
    ///
    /// # Errors
    /// Cookies are required and the response sets none.
    pub(crate) fn with_session_cookie(&self, headers: &HeaderMap) -> Result<Self, Error> {
        let cookie = match self.options().affinity {
            Affinity::Address => None,
            Affinity::Cookie => {
                let cookie = cookie::from_response(headers);
                Some(cookie.ok_or_else(|| Error::MissingCookie(self.session(None)))?)
            }
        };
        Ok(Self { cookie, ..self.clone() })
    }

    /// A ticket for a session at this node.
    pub(crate) fn ticket(&self, kind: SessionKind, id: &str) -> Ticket {
        Ticket { kind, node: self.node, id: id.to_owned(), cookie: self.cookie.clone() }
    }

    /// The node, and the session with this identifier, as errors name them.
    pub(crate) fn session(&self, id: Option<&str>) -> SessionRef {
        SessionRef { node: self.node, id: id.map(str::to_owned) }
    }

    /// The error for a response that MetaDefender Core does not send.
    pub(crate) fn invalid_response(&self, id: Option<&str>, reason: impl ToString) -> Error {
        Error::InvalidResponse { session: self.session(id), reason: reason.to_string() }
    }
}
