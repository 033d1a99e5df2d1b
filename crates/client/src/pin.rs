//! A pin: one node, and an HTTP client whose connections all lead to it.
//!
//! The search creates pins, sessions keep them, and callers use them for requests of their own. The
//! REST calls are in [`api`](crate::api), retries in [`exchange`](crate::exchange). Creating one
//! fails only if the HTTP client cannot be set up.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{COOKIE, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response, Url, redirect};

use crate::cookie;
use crate::error::{Error, SessionRef};
use crate::options::{Affinity, Options};
use crate::ticket::{SessionKind, Ticket};

/// One node of a cluster. All requests of a pin reach this node, under the shared name.
#[derive(Clone, Debug)]
pub struct Pin {
    node: SocketAddr,
    client: Client,
    options: Arc<Options>,
    /// The cookie that a balancer set for this session.
    cookie: Option<HeaderValue>,
}

/// A resolver that returns one address for every name.
struct FixedAddress(SocketAddr);

impl Resolve for FixedAddress {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(self.0));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

impl Pin {
    /// A pin with connections of its own and the shared name in `Host` and SNI. A proxy or a
    /// redirect would lead to another node, so neither is used. `node` must have the port of the
    /// cluster and, if the cluster is an address, that address: reqwest takes the port from the
    /// URL, and resolves only names.
    pub(crate) fn new(node: SocketAddr, options: &Arc<Options>, cookie: Option<HeaderValue>) -> Result<Self, Error> {
        let client = Client::builder()
            .tls_backend_preconfigured(options.tls.clone())
            .no_proxy()
            .redirect(redirect::Policy::none())
            .http1_only()
            .connect_timeout(options.connect_timeout)
            .dns_resolver(Arc::new(FixedAddress(node)))
            .user_agent(concat!("evenkeel/", env!("CARGO_PKG_VERSION")))
            .build();
        let client = client.map_err(|error| Error::Setup(error.to_string()))?;
        Ok(Self { node, client, options: Arc::clone(options), cookie })
    }

    /// The node.
    pub fn node(&self) -> SocketAddr {
        self.node
    }

    /// A request to the node under the shared name, with the API key and the cookie of the session
    /// if there are any. `path` begins with `/` and may have a query.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.client.request(method, self.url(path));
        if let Some(apikey) = &self.options.apikey {
            request = request.header("apikey", apikey);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        request
    }

    /// The URL of a path under the shared name. `path` begins with `/` and may have a query.
    pub fn url(&self, path: &str) -> Url {
        let mut url = self.options.url.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(path);
        url.set_query(query);
        url
    }

    /// The arguments with which curl reaches the node under the shared name: `--resolve
    /// core.lb.example:8008:10.0.0.11`. Empty if the cluster is an address, which curl needs no
    /// help with.
    pub fn curl_arguments(&self) -> String {
        let Options { host, port, .. } = &*self.options;
        if host.parse::<IpAddr>().is_ok() {
            return String::new();
        }
        match self.node {
            SocketAddr::V4(node) => format!("--resolve {host}:{port}:{}", node.ip()),
            SocketAddr::V6(node) => format!("--resolve {host}:{port}:[{}]", node.ip()),
        }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// The pin for the later requests of the session that `response` started.
    ///
    /// # Errors
    /// Cookies are required and the response sets none.
    pub(crate) fn with_session_cookie(&self, response: &Response) -> Result<Self, Error> {
        let cookie = match self.options.affinity {
            Affinity::Address => None,
            Affinity::Cookie => {
                let cookie = cookie::from_response(response.headers());
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
