//! HTTP probes: a request to one address under the pool's host name, judged by status and body.
//!
//! Over plain HTTP the URL holds the address and the Host header the name, and all probes share two clients. Over TLS
//! the URL holds the name, so that it is what the certificate is verified for; each target has a client of its own that
//! resolves the name to its address and nothing else.

use std::net::SocketAddr;

use reqwest::header::{CONNECTION, HOST, HeaderValue};
use reqwest::{Client, ClientBuilder, Request, Response, redirect};

use super::{Broken, Failure, Passed};
use crate::cause::innermost;
use crate::health::HttpCheck;
use crate::tls::TlsClient;

/// Ports of URLs that name none.
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// The clients that all probes over plain HTTP share.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    /// One connection a probe.
    fresh: Client,
    /// Connections that stay open between probes.
    kept: Client,
}

/// Probes must see the node and nothing between: no proxy from the environment, no redirect to another.
fn client(kept_connections: usize, tls: &TlsClient) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls.config().as_ref().clone())
        .no_proxy()
        .redirect(redirect::Policy::none())
        .http1_only()
        .pool_max_idle_per_host(kept_connections)
        .user_agent(concat!("evenkeel/", env!("CARGO_PKG_VERSION")))
}

impl Clients {
    pub(super) fn new() -> reqwest::Result<Self> {
        // They never speak TLS, but reqwest wants to know how they would.
        let tls = TlsClient::trusting_nobody();
        Ok(Self { fresh: client(0, &tls).build()?, kept: client(1, &tls).build()? })
    }

    pub(super) fn prepare(&self, check: &HttpCheck, to: SocketAddr, host: &str) -> reqwest::Result<Probe> {
        let with_port = |default| if to.port() == default { host.to_owned() } else { format!("{host}:{}", to.port()) };
        let (client, request) = match &check.tls {
            None => {
                let client = if check.keep_alive { &self.kept } else { &self.fresh };
                let url = format!("http://{to}{}", check.path);
                (client.clone(), client.request(check.method.clone(), url).header(HOST, with_port(HTTP_PORT)))
            }
            Some(tls) => {
                let client = client(usize::from(check.keep_alive), tls).resolve(host, to).build()?;
                let url = format!("https://{}{}", with_port(HTTPS_PORT), check.path);
                let request = client.request(check.method.clone(), url);
                (client, request)
            }
        };
        let mut request = request.headers(check.headers.clone());
        if let Some((user, password)) = &check.basic_auth {
            request = request.basic_auth(user, Some(password));
        }
        if !check.body.is_empty() {
            request = request.body(check.body.clone());
        }
        if !check.keep_alive {
            request = request.header(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(Probe { client, request: request.build()?, check: check.clone() })
    }
}

/// A request that is sent again and again.
pub(super) struct Probe {
    client: Client,
    request: Request,
    check: HttpCheck,
}

impl Probe {
    pub(super) async fn attempt(&self) -> Result<Passed, Broken> {
        let request = self.request.try_clone().expect("a request without a streamed body can be cloned");
        let mut response = self.client.execute(request).await?;
        let status = response.status().as_u16();
        // A kept connection can be used again only after its body has been read.
        let body = if self.check.keep_alive || self.check.wants_body(status) {
            read_body(&mut response, self.check.body_limit).await?
        } else {
            Vec::new()
        };
        Ok(self.check.judge(status, &body)?)
    }
}

async fn read_body(response: &mut Response, limit: usize) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while body.len() < limit {
        match response.chunk().await? {
            Some(chunk) => body.extend_from_slice(&chunk[..chunk.len().min(limit - body.len())]),
            None => break,
        }
    }
    Ok(body)
}

impl From<reqwest::Error> for Broken {
    fn from(error: reqwest::Error) -> Self {
        let reason = innermost(&error);
        match reason.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error) {
            Some(code) => std::io::Error::from_raw_os_error(code).into(),
            None => Self::Node(Failure::Connection(reason.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use regex::bytes::Regex;
    use reqwest::Method;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::health::BodyCondition;
    use crate::health::monitor::Pattern;

    fn check(port: u16) -> HttpCheck {
        HttpCheck {
            port,
            tls: None,
            method: Method::GET,
            path: "/readyz?verbose=true".into(),
            status: vec![200..=299],
            conditions: Vec::new(),
            busy: None,
            body: String::new(),
            body_limit: 1000,
            headers: reqwest::header::HeaderMap::new(),
            basic_auth: None,
            keep_alive: false,
        }
    }

    /// Answers one connection with `response` and gives what was asked.
    async fn answering(response: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let len = stream.read(&mut request).await.unwrap();
            stream.write_all(response.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..len]).into_owned()
        });
        (port, task)
    }

    async fn probe(check: &HttpCheck) -> Result<(), Failure> {
        let to = (Ipv4Addr::LOCALHOST, check.port).into();
        let probe = Clients::new().unwrap().prepare(check, to, "core.lb.example").unwrap();
        match probe.attempt().await {
            Ok(_) => Ok(()),
            Err(Broken::Node(failure)) => Err(failure),
            Err(Broken::Machine(why)) => panic!("{why}"),
        }
    }

    async fn probed(change: impl FnOnce(&mut HttpCheck), response: &'static str) -> (Result<(), Failure>, String) {
        let (port, task) = answering(response).await;
        let mut check = check(port);
        change(&mut check);
        (probe(&check).await, task.await.unwrap())
    }

    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready";

    #[tokio::test]
    async fn asks_one_address_under_the_shared_host() {
        let with_key = |c: &mut HttpCheck| drop(c.headers.insert("apikey", "k".parse().unwrap()));
        let (result, request) = probed(with_key, OK).await;
        assert_eq!(result, Ok(()));
        assert!(request.starts_with("GET /readyz?verbose=true HTTP/1.1\r\n"), "{request}");
        let lower = request.to_lowercase();
        assert!(lower.contains("\r\nhost: core.lb.example:"), "{request}");
        assert!(lower.contains("\r\nconnection: close\r\n") && lower.contains("\r\napikey: k\r\n"), "{request}");
        assert!(probed(|c| c.method = Method::OPTIONS, OK).await.1.starts_with("OPTIONS /readyz"));
    }

    #[tokio::test]
    async fn the_status_decides_and_redirects_are_not_followed() {
        let redirect = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(probed(|_| {}, redirect).await.0, Err(Failure::Status(302)));
        assert_eq!(probed(|c| c.status = vec![200..=200, 300..=302], redirect).await.0, Ok(()));
    }

    #[tokio::test]
    async fn the_body_is_judged_up_to_its_limit() {
        let contains = |text: &str| vec![BodyCondition::Contains(text.into())];
        assert_eq!(probed(|c| c.conditions = contains("ead"), OK).await.0, Ok(()));
        assert!(matches!(probed(|c| c.conditions = contains("eda"), OK).await.0, Err(Failure::Body(_))));
        let cut = |c: &mut HttpCheck| (c.conditions, c.body_limit) = (contains("ready"), 4);
        assert!(matches!(probed(cut, OK).await.0, Err(Failure::Body(_))));
        let pattern = |text| vec![BodyCondition::Matches(Pattern(Regex::new(text).unwrap()))];
        assert_eq!(probed(|c| c.conditions = pattern("^r.*y$"), OK).await.0, Ok(()));
        assert!(matches!(probed(|c| c.conditions = pattern("^x"), OK).await.0, Err(Failure::Body(_))));
    }

    #[tokio::test]
    async fn refusals_and_breaks_are_named() {
        let unused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
        assert_eq!(probe(&check(unused)).await, Err(Failure::Connection("connection refused".into())));
        assert!(matches!(probed(|_| {}, "nonsense\r\n\r\n").await.0, Err(Failure::Connection(_))));
        assert!(matches!(probed(|_| {}, "").await.0, Err(Failure::Connection(_))));
        let cut = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
        let wants_body = |c: &mut HttpCheck| c.conditions = vec![BodyCondition::Contains(b"x".to_vec())];
        assert!(matches!(probed(wants_body, cut).await.0, Err(Failure::Connection(_))));
    }
}
