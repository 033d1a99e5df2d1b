//! HTTP probes against scripted nodes on loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use evenkeel_core::health::ProbeFailure;
use regex::bytes::Regex;
use reqwest::Method;
use reqwest::header::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::outcome::ProbeError;
use super::{BodyCondition, HttpCheck, Probe};
use crate::monitor::Pattern;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready";

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

/// A listener of a scripted node, and its port.
async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Prepares a probe of a scripted node.
fn probe_of(check: &HttpCheck) -> Probe {
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, check.port));
    Probe::new(check, to, "core.lb.example").unwrap()
}

/// A node that sends `response` on one connection. Its task returns the request.
async fn node_sending(response: &'static str) -> (u16, JoinHandle<String>) {
    let (listener, port) = listen().await;
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let len = stream.read(&mut request).await.unwrap();
        stream.write_all(response.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&request[..len]).into_owned()
    });
    (port, task)
}

/// Runs one probe.
async fn run(check: &HttpCheck) -> Result<(), ProbeFailure> {
    match probe_of(check).run().await {
        Ok(_) => Ok(()),
        Err(ProbeError::Failed(failure)) => Err(failure),
        Err(ProbeError::NotRun(why)) => panic!("{why}"),
    }
}

/// Runs one probe against a node that sends `response`. Also returns the request.
async fn probe(change: impl FnOnce(&mut HttpCheck), response: &'static str) -> (Result<(), ProbeFailure>, String) {
    let (port, task) = node_sending(response).await;
    let mut check = check(port);
    change(&mut check);
    (run(&check).await, task.await.unwrap())
}

#[tokio::test]
async fn a_request_to_one_address_has_the_host_of_the_pool() {
    let with_apikey = |c: &mut HttpCheck| drop(c.headers.insert("apikey", "k".parse().unwrap()));
    let (result, request) = probe(with_apikey, OK).await;
    assert_eq!(result, Ok(()));
    assert!(request.starts_with("GET /readyz?verbose=true HTTP/1.1\r\n"), "{request}");
    let lower = request.to_lowercase();
    assert!(lower.contains("\r\nhost: core.lb.example:"), "{request}");
    assert!(lower.contains("\r\nconnection: close\r\n") && lower.contains("\r\napikey: k\r\n"), "{request}");
    assert!(probe(|c| c.method = Method::OPTIONS, OK).await.1.starts_with("OPTIONS /readyz"));
}

#[tokio::test]
async fn the_status_decides_and_redirects_are_not_followed() {
    let redirect = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(probe(|_| {}, redirect).await.0, Err(ProbeFailure::Status(302)));
    assert_eq!(probe(|c| c.status = vec![200..=200, 300..=302], redirect).await.0, Ok(()));
}

#[tokio::test]
async fn the_body_is_judged_up_to_its_limit() {
    let contains = |text: &str| vec![BodyCondition::Contains(text.into())];
    assert_eq!(probe(|c| c.conditions = contains("ead"), OK).await.0, Ok(()));
    assert!(matches!(probe(|c| c.conditions = contains("eda"), OK).await.0, Err(ProbeFailure::Body(_))));
    let cut = |c: &mut HttpCheck| (c.conditions, c.body_limit) = (contains("ready"), 4);
    assert!(matches!(probe(cut, OK).await.0, Err(ProbeFailure::Body(_))));
    let pattern = |text| vec![BodyCondition::Matches(Pattern(Regex::new(text).unwrap()))];
    assert_eq!(probe(|c| c.conditions = pattern("^r.*y$"), OK).await.0, Ok(()));
    assert!(matches!(probe(|c| c.conditions = pattern("^x"), OK).await.0, Err(ProbeFailure::Body(_))));
}

/// A node that answers up to `per_connection` requests on a connection and then closes it. Its task
/// returns the number of connections once all requests are answered.
async fn node_closing_after(requests: usize, per_connection: usize) -> (u16, JoinHandle<usize>) {
    let (listener, port) = listen().await;
    let task = tokio::spawn(async move {
        let (mut answered, mut connections) = (0, 0);
        while answered < requests {
            let (mut stream, _) = listener.accept().await.unwrap();
            connections += 1;
            for _ in 0..per_connection.min(requests - answered) {
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
async fn a_kept_connection_is_used_until_the_node_closes_it() {
    for (keep_alive, per_connection, connections) in [(true, 9, 1), (true, 4, 3), (true, 1, 9), (false, 1, 9)] {
        let (port, task) = node_closing_after(9, per_connection).await;
        let check = HttpCheck { keep_alive, ..check(port) };
        let mut probe = probe_of(&check);
        for _ in 0..9 {
            assert!(probe.run().await.is_ok());
        }
        assert_eq!(task.await.unwrap(), connections, "{per_connection} requests per connection");
    }
}

/// A node that answers the first request of each connection, and reads the second and closes. Its
/// task returns the number of requests that it read, once all connections are closed.
async fn node_closing_at_the_second_request(connections: usize) -> (u16, JoinHandle<usize>) {
    let (listener, port) = listen().await;
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
async fn a_status_decides_even_if_the_body_breaks_off_or_never_ends() {
    for rest in ["Content-Length: 50\r\n\r\nready", "\r\nwithout an end"] {
        let response: &'static str = format!("HTTP/1.1 200 OK\r\n{rest}").leak();
        for keep_alive in [false, true] {
            assert_eq!(probe(|c| c.keep_alive = keep_alive, response).await.0, Ok(()), "{rest}");
        }
    }
}

#[tokio::test]
async fn only_safe_methods_are_sent_again() {
    for (method, connections, second_succeeds, requests) in [(Method::GET, 2, true, 4), (Method::POST, 1, false, 2)] {
        let (port, task) = node_closing_at_the_second_request(connections).await;
        let check = HttpCheck { keep_alive: true, method: method.clone(), ..check(port) };
        let mut probe = probe_of(&check);
        assert!(probe.run().await.is_ok());
        assert_eq!(probe.run().await.is_ok(), second_succeeds, "{method}");
        // The node accepts no further connection.
        assert!(probe.run().await.is_err());
        assert_eq!(task.await.unwrap(), requests, "{method}");
    }
}

#[tokio::test]
async fn after_a_timeout_the_next_probe_uses_a_new_connection() {
    let (listener, port) = listen().await;
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
    let mut probe = probe_of(&check);
    assert!(probe.run().await.is_ok());
    assert!(timeout(Duration::from_millis(50), probe.run()).await.is_err());
    assert!(probe.run().await.is_ok());
    assert_eq!(node.await.unwrap(), 2);
}

#[tokio::test]
async fn paths_are_encoded_and_credentials_are_sent() {
    let change = |c: &mut HttpCheck| {
        c.path = "/a b/{c}?x=\"y\"".into();
        c.basic_auth = Some(("probe".into(), "secret".into()));
        c.body = "ping".into();
        c.method = Method::POST;
    };
    let (result, request) = probe(change, OK).await;
    assert_eq!(result, Ok(()));
    assert!(request.starts_with("POST /a%20b/%7Bc%7D?x=%22y%22 HTTP/1.1\r\n"), "{request}");
    let lower = request.to_lowercase();
    assert!(lower.contains("\r\ncontent-length: 4\r\n") && lower.ends_with("\r\n\r\nping"), "{request}");
    assert!(request.contains("Basic cHJvYmU6c2VjcmV0\r\n"), "{request}");
    let (_, request) = probe(|c| c.method = Method::POST, OK).await;
    assert!(request.to_lowercase().contains("\r\ncontent-length: 0\r\n"), "{request}");
}

#[tokio::test]
async fn a_connection_that_is_refused_or_breaks_is_a_connection_failure() {
    let (_, unused_port) = listen().await;
    assert_eq!(run(&check(unused_port)).await, Err(ProbeFailure::Connection("connection refused".into())));
    assert!(matches!(probe(|_| {}, "nonsense\r\n\r\n").await.0, Err(ProbeFailure::Connection(_))));
    assert!(matches!(probe(|_| {}, "").await.0, Err(ProbeFailure::Connection(_))));
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
    let wants_body = |c: &mut HttpCheck| c.conditions = vec![BodyCondition::Contains(b"x".to_vec())];
    assert!(matches!(probe(wants_body, cut).await.0, Err(ProbeFailure::Connection(_))));
}
