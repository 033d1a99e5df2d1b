//! Sessions of the client library behind an HTTP balancer with cookies: the first request of a
//! session has no cookie, and all later ones have the cookie of that session. The test reads them
//! from the log of HAProxy.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use evenkeel_client::{Affinity, Cluster, Source, Verdict};
use tokio::task::JoinSet;

use crate::support::cluster::Wait;
use crate::support::haproxy::Haproxy;
use crate::support::nodes::Nodes;
use crate::support::program::{example, output_of};
use crate::support::{free_address, wait_until};

/// Files that are scanned in a session of their own.
const FILES: usize = 30;

/// Batches with one file each.
const BATCHES: usize = 5;

/// A request in the log of HAProxy, for example `POST /file - core-1`.
struct Request {
    method: String,
    path: String,
    /// The cookie that the client sent.
    cookie: Option<String>,
    server: String,
}

/// Reads a line of the log, if it is about a request.
fn logged_request(line: &str) -> Option<Request> {
    let words: Vec<&str> = line.split("request: ").nth(1)?.split(' ').map(str::trim).collect();
    let [method, path, cookie, server] = words[..] else { return None };
    let cookie = cookie.strip_prefix("SRV=").map(str::to_owned);
    Some(Request { method: method.to_owned(), path: path.to_owned(), cookie, server: server.to_owned() })
}

#[test]
fn cookies_are_sent_only_in_the_session_that_received_them() {
    let nodes = Nodes::start(3);
    let log = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    // Longer than HAProxy takes to log a request that has ended.
    log.set_read_timeout(Some(Duration::from_secs(2))).expect("the timeout is above zero");
    let frontend = free_address();
    let servers: String =
        (0..3).map(|i| format!("  server core-{i} {}:{} cookie core-{i}\n", nodes.address(i), nodes.port)).collect();
    let config = format!(
        "global\n  log {} local0\ndefaults\n  mode http\n  log global\n  option dontlognull\n  timeout connect 5s\n\
         \x20 timeout client 30s\n  timeout server 30s\n\
         frontend front\n  bind {frontend}\n  capture cookie SRV= len 32\n  log-format \"request: %HM %HP %CC %s\"\n  default_backend back\n\
         backend back\n  balance roundrobin\n  cookie SRV insert indirect nocache\n{servers}",
        log.local_addr().expect("a bound socket has an address")
    );
    let _haproxy = Haproxy::start(|_| config);
    wait_until("HAProxy listens", || std::net::TcpStream::connect(frontend).is_ok());
    let cluster = Cluster::builder(&format!("http://{frontend}"))
        .affinity(Affinity::Cookie)
        .build()
        .expect("the options are valid");
    let work = async {
        let mut tasks = JoinSet::new();
        for i in 0..FILES {
            let cluster = cluster.clone();
            tasks.spawn(async move {
                let scan =
                    cluster.scan(&mut Source::bytes(format!("{i}"), "x")).await.expect("a node accepts the file");
                assert_eq!(scan.result().await.expect("the node has the result").verdict, Verdict::Allowed);
            });
        }
        for _ in 0..BATCHES {
            let cluster = cluster.clone();
            tasks.spawn(async move {
                let batch = cluster.open_batch().await.expect("a node accepts the batch");
                batch.send(&mut Source::bytes("a", "x")).await.expect("a node accepts the file");
                let ticket = batch.ticket().to_string();
                assert!(ticket.contains(" SRV=core-"), "the ticket has the cookie: {ticket}");
                batch.close().await.expect("the batch is closed").results().await.expect("the node has the results");
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("no session panics");
        }
    };
    work.wait();
    // One more session in the example program.
    let directory = tempfile::tempdir().expect("the test can create a directory");
    let file = directory.path().join("clean.txt");
    std::fs::write(&file, "harmless").expect("the test can write its directory");
    let printed = output_of(Command::new(example("scan_cookie")).arg(format!("http://{frontend}")).arg(&file));
    assert_eq!(printed, "Allowed: No Threat Detected\n");
    let mut requests = Vec::new();
    let mut line = [0; 2048];
    while let Ok(len) = log.recv(&mut line) {
        requests.extend(logged_request(&String::from_utf8_lossy(&line[..len])));
    }
    let begins =
        |request: &&Request| request.method == "POST" && request.path == "/file" || request.path == "/file/batch";
    // An upload into a batch is also `POST /file`, but has the cookie of the batch.
    let (first, later): (Vec<&Request>, Vec<&Request>) =
        requests.iter().partition(|request| begins(request) && request.cookie.is_none());
    assert_eq!(first.len(), FILES + BATCHES + 1, "the first request of a session has no cookie");
    assert!(later.len() > FILES, "{}", later.len());
    for request in &later {
        assert_eq!(request.cookie.as_deref(), Some(request.server.as_str()), "{} {}", request.method, request.path);
    }
    let used: BTreeSet<&str> = first.iter().map(|request| request.server.as_str()).collect();
    assert_eq!(used.len(), 3, "sessions are balanced: {used:?}");
    assert_eq!(nodes.requests_at_wrong_node(), 0);
}
