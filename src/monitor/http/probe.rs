//! HTTP probes: a request to one address under the pool's host name, judged by status and body.
//!
//! Each is one connection on which hyper speaks HTTP/1.1, driven by the target's own task. A client for many hosts, with a
//! pool, redirects, proxies and tasks of its own, costs more, and none of that is wanted here: probes must see the node and
//! nothing between.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use evenkeel_core::health::{ProbeFailure, ProbeSuccess};
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, USER_AGENT};
use reqwest::{Method, Url};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::client::TlsStream;

use super::super::outcome::Broken;
use super::super::stream::{Tls, connect};
use super::HttpCheck;
use crate::error_cause::innermost;

/// How long a connection may have been idle to be used again: what stands between forgets connections sooner or later,
/// and tells nobody.
const KEPT_FOR: Duration = Duration::from_secs(90);

/// How long is waited for the rest of a body that is read only to keep its connection.
const UNWANTED_BODY: Duration = Duration::from_millis(50);

/// Ports that the Host header leaves out.
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// A request that is sent again and again.
pub(in crate::monitor) struct Probe {
    to: SocketAddr,
    tls: Option<Tls>,
    request: hyper::Request<Full<Bytes>>,
    check: HttpCheck,
    /// The connection that stays open between probes, where one does, and since when. Nobody looks at it meanwhile: one that
    /// the node closes is closed here with the next probe.
    kept: Option<(Connection, Instant)>,
}

type Stream = tokio_util::either::Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// A connection to a node.
struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// Reads and writes while it is polled.
    driver: http1::Connection<TokioIo<Stream>, Full<Bytes>>,
}

/// What a node has answered.
struct Answered {
    status: u16,
    /// As much of it as was wanted.
    body: Vec<u8>,
    /// Whether nothing of it is left to be read, so that another answer can follow.
    is_whole: bool,
}

impl Probe {
    /// Prepares a request to an address under a host name.
    ///
    /// # Errors
    /// The host, or the path, is none that could stand in a request.
    pub(in crate::monitor) fn new(check: &HttpCheck, to: SocketAddr, host: &str) -> Result<Self, String> {
        let unusable = |error: &dyn std::fmt::Display| format!("{host}{}: {error}", check.path);
        let tls = Tls::prepare(check.tls.as_ref(), host)?;
        let default_port = if tls.is_some() { HTTPS_PORT } else { HTTP_PORT };
        let host = if to.port() == default_port { host.to_owned() } else { format!("{host}:{}", to.port()) };
        // As URLs write it, with what must be encoded encoded.
        let url = Url::parse(&format!("http://host{}", check.path)).map_err(|error| unusable(&error))?;
        let mut request = hyper::Request::new(Full::from(check.body.clone()));
        *request.method_mut() = check.method.clone();
        let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        *request.uri_mut() = path.parse().map_err(|error| unusable(&error))?;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::try_from(host).map_err(|error| unusable(&error))?);
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("evenkeel/", env!("CARGO_PKG_VERSION"))));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        if let Some((user, password)) = &check.basic_auth {
            let credentials = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            let mut credentials = HeaderValue::try_from(credentials).map_err(|error| unusable(&error))?;
            credentials.set_sensitive(true);
            headers.insert(AUTHORIZATION, credentials);
        }
        headers.extend(check.headers.clone());
        if check.body.is_empty() && matches!(check.method, Method::POST | Method::PUT | Method::PATCH) {
            // Said also of no body (RFC 9110 §8.6): Core nodes answer 411 otherwise.
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if !check.keep_alive {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(Self { to, tls, request, check: check.clone(), kept: None })
    }

    pub(in crate::monitor) async fn run(&mut self) -> Result<ProbeSuccess, Broken> {
        if let Some(connection) = self.take_kept().await {
            match self.exchange(connection).await {
                Ok(answered) => return Ok(self.check.judge(answered.status, &answered.body)?),
                // The node may have closed it in that moment, which says nothing of it: a fresh connection will. What
                // was cancelled was never sent; of the rest, only what changes nothing is sent again.
                Err(error) if self.check.method.is_safe() || error.is_canceled() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let answered = self.exchange(self.connect().await?).await?;
        Ok(self.check.judge(answered.status, &answered.body)?)
    }

    async fn connect(&self) -> Result<Connection, Broken> {
        let stream = connect(self.to).await?;
        let stream = match &self.tls {
            None => Stream::Left(stream),
            Some(tls) => Stream::Right(Box::new(tls.connect(stream).await?)),
        };
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Connection { sender, driver })
    }

    /// The connection of the probe before, if it is still open and not too old.
    async fn take_kept(&mut self) -> Option<Connection> {
        let (mut connection, since) = self.kept.take()?;
        // The driver sees that the node has closed it.
        let is_open = futures_util::poll!(&mut connection.driver).is_pending();
        (is_open && connection.sender.is_ready() && since.elapsed() < KEPT_FOR).then_some(connection)
    }

    /// Asks, and reads as much of the answer as is wanted.
    async fn exchange(&mut self, Connection { mut sender, mut driver }: Connection) -> hyper::Result<Answered> {
        let answered = async {
            let response = sender.send_request(self.request.clone()).await?;
            let status = response.status().as_u16();
            let body = read_body(response.into_body(), self.check.body_limit);
            if self.check.wants_body(status) {
                return body.await.map(|(body, is_whole)| Answered { status, body, is_whole });
            }
            // The verdict is clear. A kept connection can be used again only after its body has been read, but whether
            // that comes to an end says nothing.
            let is_whole = self.check.keep_alive
                && matches!(timeout(UNWANTED_BODY, body).await, Ok(Ok((_, is_whole))) if is_whole);
            Ok(Answered { status, body: Vec::new(), is_whole })
        };
        let answered = match select(pin!(answered), &mut driver).await {
            Either::Left((answered, _)) => answered?,
            Either::Right((_, answered)) => {
                // A request that it had yet to send is given back only now; and it has nothing more to be kept for.
                drop(driver);
                return answered.await;
            }
        };
        if self.check.keep_alive && answered.is_whole && !sender.is_closed() {
            self.kept = Some((Connection { sender, driver }, Instant::now()));
        }
        Ok(answered)
    }
}

/// Up to `limit` bytes of a body, and whether nothing of it is left to be read.
async fn read_body(mut body: Incoming, limit: usize) -> hyper::Result<(Vec<u8>, bool)> {
    let mut read = Vec::new();
    while read.len() < limit {
        let Some(frame) = body.frame().await else { return Ok((read, true)) };
        let data = frame?.into_data().unwrap_or_default();
        read.extend_from_slice(&data[..data.len().min(limit - read.len())]);
    }
    Ok((read, body.is_end_stream()))
}

impl From<hyper::Error> for Broken {
    fn from(error: hyper::Error) -> Self {
        let reason = innermost(&error);
        match reason.downcast_ref::<io::Error>() {
            Some(error) => match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code).into(),
                None => io::Error::new(error.kind(), error.to_string()).into(),
            },
            None => Self::Node(ProbeFailure::Connection(reason.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use regex::bytes::Regex;
    use reqwest::header::HeaderMap;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::monitor::{BodyCondition, Pattern};

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
            headers: HeaderMap::new(),
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

    async fn probe(check: &HttpCheck) -> Result<(), ProbeFailure> {
        let to = (Ipv4Addr::LOCALHOST, check.port).into();
        let mut probe = Probe::new(check, to, "core.lb.example").unwrap();
        match probe.run().await {
            Ok(_) => Ok(()),
            Err(Broken::Node(failure)) => Err(failure),
            Err(Broken::Machine(why)) => panic!("{why}"),
        }
    }

    async fn probed(change: impl FnOnce(&mut HttpCheck), response: &'static str) -> (Result<(), ProbeFailure>, String) {
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
        assert_eq!(probed(|_| {}, redirect).await.0, Err(ProbeFailure::Status(302)));
        assert_eq!(probed(|c| c.status = vec![200..=200, 300..=302], redirect).await.0, Ok(()));
    }

    #[tokio::test]
    async fn the_body_is_judged_up_to_its_limit() {
        let contains = |text: &str| vec![BodyCondition::Contains(text.into())];
        assert_eq!(probed(|c| c.conditions = contains("ead"), OK).await.0, Ok(()));
        assert!(matches!(probed(|c| c.conditions = contains("eda"), OK).await.0, Err(ProbeFailure::Body(_))));
        let cut = |c: &mut HttpCheck| (c.conditions, c.body_limit) = (contains("ready"), 4);
        assert!(matches!(probed(cut, OK).await.0, Err(ProbeFailure::Body(_))));
        let pattern = |text| vec![BodyCondition::Matches(Pattern(Regex::new(text).unwrap()))];
        assert_eq!(probed(|c| c.conditions = pattern("^r.*y$"), OK).await.0, Ok(()));
        assert!(matches!(probed(|c| c.conditions = pattern("^x"), OK).await.0, Err(ProbeFailure::Body(_))));
    }

    /// Answers so many requests on each connection, and gives how many connections there were when all are answered.
    async fn answering_each(requests: usize, on_each: usize) -> (u16, tokio::task::JoinHandle<usize>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            let (mut answered, mut connections) = (0, 0);
            while answered < requests {
                let (mut stream, _) = listener.accept().await.unwrap();
                connections += 1;
                for _ in 0..on_each.min(requests - answered) {
                    assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
                    stream.write_all(OK.as_bytes()).await.unwrap();
                    answered += 1;
                }
            }
            connections
        });
        (port, task)
    }

    #[tokio::test]
    async fn kept_connections_are_used_until_the_node_closes_them() {
        for (keep_alive, on_each, expected) in [(true, 9, 1), (true, 4, 3), (true, 1, 9), (false, 1, 9)] {
            let (port, task) = answering_each(9, on_each).await;
            let check = HttpCheck { keep_alive, ..check(port) };
            let to = (Ipv4Addr::LOCALHOST, port).into();
            let mut probe = Probe::new(&check, to, "core.lb.example").unwrap();
            for _ in 0..9 {
                assert!(probe.run().await.is_ok());
            }
            assert_eq!(task.await.unwrap(), expected, "{on_each} on each connection");
        }
    }

    /// Answers the first request of each connection, reads the second and closes; gives how many requests it has read when
    /// so many connections are over.
    async fn breaking_at_the_second(connections: usize) -> (u16, tokio::task::JoinHandle<usize>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            let mut requests = 0;
            for _ in 0..connections {
                let (mut stream, _) = listener.accept().await.unwrap();
                for is_first in [true, false] {
                    requests += usize::from(stream.read(&mut [0; 4096]).await.unwrap() > 0);
                    if is_first {
                        stream.write_all(OK.as_bytes()).await.unwrap();
                    }
                }
            }
            requests
        });
        (port, task)
    }

    #[tokio::test]
    async fn a_status_counts_whatever_becomes_of_its_body() {
        for rest in ["Content-Length: 50\r\n\r\nready", "\r\nwithout an end"] {
            let response: &'static str = format!("HTTP/1.1 200 OK\r\n{rest}").leak();
            for keep_alive in [false, true] {
                assert_eq!(probed(|c| c.keep_alive = keep_alive, response).await.0, Ok(()), "{rest}");
            }
        }
    }

    #[tokio::test]
    async fn only_what_changes_nothing_is_sent_again() {
        for (method, connections, second, requests) in [(Method::GET, 2, true, 4), (Method::POST, 1, false, 2)] {
            let (port, task) = breaking_at_the_second(connections).await;
            let check = HttpCheck { keep_alive: true, method: method.clone(), ..check(port) };
            let mut probe = Probe::new(&check, (Ipv4Addr::LOCALHOST, port).into(), "core.lb.example").unwrap();
            assert!(probe.run().await.is_ok());
            assert_eq!(probe.run().await.is_ok(), second, "{method}");
            // For GET there is a connection left that breaks in turn, and none to come after it.
            let third = probe.run().await;
            assert!(third.is_err());
            assert_eq!(task.await.unwrap(), requests, "{method}");
        }
    }

    #[tokio::test]
    async fn after_a_timeout_the_next_probe_connects_anew() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let node = tokio::spawn(async move {
            let mut streams = Vec::new();
            // The second request on the first connection is never answered.
            for requests in [2, 1] {
                let (mut stream, _) = listener.accept().await.unwrap();
                for nth in 0..requests {
                    assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
                    if nth == 0 {
                        stream.write_all(OK.as_bytes()).await.unwrap();
                    }
                }
                streams.push(stream);
            }
            streams.len()
        });
        let check = HttpCheck { keep_alive: true, ..check(port) };
        let mut probe = Probe::new(&check, (Ipv4Addr::LOCALHOST, port).into(), "core.lb.example").unwrap();
        assert!(probe.run().await.is_ok());
        assert!(timeout(Duration::from_millis(50), probe.run()).await.is_err());
        assert!(probe.run().await.is_ok());
        assert_eq!(node.await.unwrap(), 2);
    }

    #[tokio::test]
    async fn paths_are_encoded_and_credentials_sent() {
        let change = |c: &mut HttpCheck| {
            c.path = "/a b/{c}?x=\"y\"".into();
            c.basic_auth = Some(("probe".into(), "secret".into()));
            c.body = "ping".into();
            c.method = Method::POST;
        };
        let (result, request) = probed(change, OK).await;
        assert_eq!(result, Ok(()));
        assert!(request.starts_with("POST /a%20b/%7Bc%7D?x=%22y%22 HTTP/1.1\r\n"), "{request}");
        let lower = request.to_lowercase();
        assert!(lower.contains("\r\ncontent-length: 4\r\n") && lower.ends_with("\r\n\r\nping"), "{request}");
        assert!(request.contains("Basic cHJvYmU6c2VjcmV0\r\n"), "{request}");
        let (_, request) = probed(|c| c.method = Method::POST, OK).await;
        assert!(request.to_lowercase().contains("\r\ncontent-length: 0\r\n"), "{request}");
    }

    #[tokio::test]
    async fn refusals_and_breaks_are_named() {
        let unused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
        assert_eq!(probe(&check(unused)).await, Err(ProbeFailure::Connection("connection refused".into())));
        assert!(matches!(probed(|_| {}, "nonsense\r\n\r\n").await.0, Err(ProbeFailure::Connection(_))));
        assert!(matches!(probed(|_| {}, "").await.0, Err(ProbeFailure::Connection(_))));
        let cut = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
        let wants_body = |c: &mut HttpCheck| c.conditions = vec![BodyCondition::Contains(b"x".to_vec())];
        assert!(matches!(probed(wants_body, cut).await.0, Err(ProbeFailure::Connection(_))));
    }
}
