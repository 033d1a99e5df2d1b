//! HTTP probes: a GET to one address under the pool's host name, judged by status and body.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};

use nix::errno::Errno;
use reqwest::header::{CONNECTION, HOST, HeaderValue};
use reqwest::{Client, Response, redirect};

use super::{Failure, Outcome, Untried};
use crate::health::{BodyCondition, HttpCheck};

/// Port of a URL that names none.
const DEFAULT_PORT: u16 = 80;

/// The clients that all HTTP probes share.
#[derive(Clone, Debug)]
pub(super) struct Prober {
    /// One connection a probe.
    fresh: Client,
    /// Connections that stay open between probes.
    kept: Client,
}

impl Prober {
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        // Probes must see the node and nothing between: no proxy from the environment, no redirect to another.
        let client = || {
            Client::builder()
                .no_proxy()
                .redirect(redirect::Policy::none())
                .http1_only()
                .user_agent(concat!("evenkeel/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self {
            fresh: client().pool_max_idle_per_host(0).build()?,
            kept: client().pool_max_idle_per_host(1).build()?,
        })
    }

    pub(super) async fn probe(&self, check: &HttpCheck, address: IpAddr, host: &str) -> Outcome {
        match self.attempt(check, address, host).await {
            Ok(()) => Ok(Ok(())),
            Err(Broken::Node(failure)) => Ok(Err(failure)),
            Err(Broken::Machine(reason)) => Err(Untried(reason)),
        }
    }

    async fn attempt(&self, check: &HttpCheck, address: IpAddr, host: &str) -> Result<(), Broken> {
        let url = format!("http://{}{}", SocketAddr::new(address, check.port), check.path);
        let client = if check.keep_alive { &self.kept } else { &self.fresh };
        let mut request = client.get(url).headers(check.headers.clone());
        if !check.headers.contains_key(HOST) {
            let host = if check.port == DEFAULT_PORT { host.to_owned() } else { format!("{host}:{}", check.port) };
            request = request.header(HOST, host);
        }
        if !check.keep_alive {
            request = request.header(CONNECTION, HeaderValue::from_static("close"));
        }
        let mut response = request.send().await?;
        let status = response.status().as_u16();
        if !check.status.iter().any(|range| range.contains(&status)) {
            return Err(Broken::Node(Failure::Status(status)));
        }
        match &check.body {
            // A kept connection can be used again only after its body has been read.
            None if !check.keep_alive => Ok(()),
            None => Ok(read_body(&mut response, check.body_limit).await.map(drop)?),
            Some(condition) => {
                judge_body(condition, &read_body(&mut response, check.body_limit).await?).map_err(Broken::Node)
            }
        }
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

fn judge_body(condition: &BodyCondition, body: &[u8]) -> Result<(), Failure> {
    match condition {
        BodyCondition::Contains(wanted) if body.windows(wanted.len()).any(|window| window == wanted) => Ok(()),
        BodyCondition::Contains(wanted) => Err(Failure::Body(format!("lacks \"{}\"", String::from_utf8_lossy(wanted)))),
        BodyCondition::Matches(regex) if regex.is_match(body) => Ok(()),
        BodyCondition::Matches(regex) => Err(Failure::Body(format!("does not match {regex}"))),
    }
}

/// Who is to blame for a probe that came to nothing.
enum Broken {
    Node(Failure),
    Machine(String),
}

impl From<reqwest::Error> for Broken {
    /// Takes the innermost reason, in the words of the system where it is one of its errors.
    fn from(error: reqwest::Error) -> Self {
        let mut innermost: &dyn Error = &error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        let system = innermost.downcast_ref::<io::Error>();
        match system.and_then(io::Error::raw_os_error).map(Errno::from_raw) {
            // No file descriptor, memory or local port is left.
            Some(own @ (Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM | Errno::EADDRNOTAVAIL)) => {
                Self::Machine(own.desc().to_lowercase())
            }
            Some(errno) => Self::Node(Failure::Connection(errno.desc().to_lowercase())),
            None => Self::Node(Failure::Connection(innermost.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn check(port: u16) -> HttpCheck {
        HttpCheck {
            port,
            path: "/readyz?verbose=true".into(),
            status: vec![200..=299],
            body: None,
            body_limit: 1000,
            headers: reqwest::header::HeaderMap::new(),
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

    async fn probed(check: impl FnOnce(&mut HttpCheck), response: &'static str) -> (Result<(), Failure>, String) {
        let (port, task) = answering(response).await;
        let mut http_check = self::check(port);
        check(&mut http_check);
        let result =
            Prober::new().unwrap().probe(&http_check, Ipv4Addr::LOCALHOST.into(), "core.lb.example").await.unwrap();
        (result, task.await.unwrap())
    }

    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready";

    #[tokio::test]
    async fn asks_one_address_under_the_shared_host() {
        let (result, request) = probed(
            |c| {
                c.headers.insert("apikey", "k".parse().unwrap());
            },
            OK,
        )
        .await;
        assert_eq!(result, Ok(()));
        assert!(request.starts_with("GET /readyz?verbose=true HTTP/1.1\r\n"), "{request}");
        let lower = request.to_lowercase();
        assert!(lower.contains("\r\nhost: core.lb.example:"), "{request}");
        assert!(lower.contains("\r\nconnection: close\r\n") && lower.contains("\r\napikey: k\r\n"), "{request}");
    }

    #[tokio::test]
    async fn the_status_decides_and_redirects_are_not_followed() {
        let redirect = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(probed(|_| {}, redirect).await.0, Err(Failure::Status(302)));
        assert_eq!(probed(|c| c.status = vec![200..=200, 300..=302], redirect).await.0, Ok(()));
    }

    #[tokio::test]
    async fn the_body_is_judged_up_to_its_limit() {
        let contains = |text: &str| Some(BodyCondition::Contains(text.into()));
        assert_eq!(probed(|c| c.body = contains("ead"), OK).await.0, Ok(()));
        assert!(matches!(probed(|c| c.body = contains("eda"), OK).await.0, Err(Failure::Body(_))));
        let cut = |c: &mut HttpCheck| (c.body, c.body_limit) = (contains("ready"), 4);
        assert!(matches!(probed(cut, OK).await.0, Err(Failure::Body(_))));
        let regex =
            |c: &mut HttpCheck| c.body = Some(BodyCondition::Matches(regex::bytes::Regex::new("^r.*y$").unwrap()));
        assert_eq!(probed(regex, OK).await.0, Ok(()));
    }

    #[tokio::test]
    async fn refusals_and_breaks_are_named() {
        let unused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
        let result = Prober::new().unwrap().probe(&check(unused), Ipv4Addr::LOCALHOST.into(), "h").await.unwrap();
        assert_eq!(result, Err(Failure::Connection("connection refused".into())));
        assert!(matches!(probed(|_| {}, "nonsense\r\n\r\n").await.0, Err(Failure::Connection(_))));
        assert!(matches!(probed(|_| {}, "").await.0, Err(Failure::Connection(_))));
    }

    #[tokio::test]
    async fn the_timeout_is_for_the_whole_attempt() {
        let (port, task) = answering("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await;
        let monitor = crate::health::Monitor {
            name: "m".into(),
            kind: crate::health::Kind::Http(HttpCheck {
                body: Some(BodyCondition::Contains("x".into())),
                ..check(port)
            }),
            interval: Duration::from_secs(1),
            timeout: Duration::from_millis(100),
            rise: 1,
            fall: 1,
        };
        // The fake closes after its answer: a body cut short is a break, not a timeout.
        let result =
            super::super::Prober::new().unwrap().probe(&monitor, Ipv4Addr::LOCALHOST.into(), "h").await.unwrap();
        assert!(matches!(result, Err(Failure::Connection(_))), "{result:?}");
        task.await.unwrap();
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let kind = crate::health::Kind::Http(check(silent.local_addr().unwrap().port()));
        let monitor = crate::health::Monitor { kind, ..monitor };
        let result =
            super::super::Prober::new().unwrap().probe(&monitor, Ipv4Addr::LOCALHOST.into(), "h").await.unwrap();
        assert_eq!(result, Err(Failure::Timeout(monitor.timeout)));
    }
}
