//! One node, and a client that reaches nothing else.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{COOKIE, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response, Url, redirect};

use super::cookie;
use super::error::{At, Error};
use super::options::{Affinity, Options};

/// A node that was chosen. Everything that is asked through it goes there, under the shared name.
#[derive(Clone, Debug)]
pub struct Pin {
    node: SocketAddr,
    client: Client,
    options: Arc<Options>,
    /// What a balancer gave this session to find its node again.
    cookie: Option<HeaderValue>,
}

/// One address for every name.
struct Only(SocketAddr);

impl Resolve for Only {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(self.0));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

impl Pin {
    /// A client for one address: connections of its own, the shared name in Host and SNI, no proxy between, no redirect to
    /// anybody else. `node` has the port of the cluster, and its address if the cluster is one.
    pub(super) fn to(node: SocketAddr, options: &Arc<Options>, cookie: Option<HeaderValue>) -> Result<Self, Error> {
        let client = Client::builder()
            .tls_backend_preconfigured(options.tls.clone())
            .no_proxy()
            .redirect(redirect::Policy::none())
            .http1_only()
            .connect_timeout(options.connect_timeout)
            .dns_resolver(Arc::new(Only(node)))
            .user_agent(concat!("evenkeel/", env!("CARGO_PKG_VERSION")))
            .build();
        let client = client.map_err(|error| Error::Setup(error.to_string()))?;
        Ok(Self { node, client, options: Arc::clone(options), cookie })
    }

    /// The node.
    pub fn node(&self) -> SocketAddr {
        self.node
    }

    /// A request to the node under the shared name, with the apikey and, in a session, its cookie: to `path`, which begins
    /// with `/` and may have a query.
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

    /// A URL of the node: the shared name with this path, which begins with `/` and may have a query.
    pub fn url(&self, path: &str) -> Url {
        let mut url = self.options.url.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(path);
        url.set_query(query);
        url
    }

    /// What makes curl reach the node under the shared name: `--resolve core.lb.example:8008:10.0.0.11`. Nothing when the
    /// cluster is an address, which curl reaches anyhow.
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
    pub(super) fn following(&self, answer: &Response) -> Result<Self, Error> {
        let cookie = match self.options.affinity {
            Affinity::Address => None,
            Affinity::Cookie => {
                let cookie = cookie::of_answer(answer.headers());
                Some(cookie.ok_or_else(|| Error::NoCookie(self.at(None)))?)
            }
        };
        Ok(Self { cookie, ..self.clone() })
    }
}
