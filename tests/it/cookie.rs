//! Sessions behind an HTTP balancer, by its cookie: none when a session begins, its own with all that follows. HAProxy's
//! own log is the witness.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;

use evenkeel_client::{Affinity, Cluster, Source, Verdict};
use tokio::task::JoinSet;

use crate::support::nodes::Nodes;
use crate::support::program::{Running, example, output_of, required};
use crate::support::session::Wait;
use crate::support::{free_address, wait_until};

/// Files that are sent one by one, and batches.
const FILES: usize = 30;
const BATCHES: usize = 5;

/// A request as HAProxy has seen it: `POST /file - core-1`.
struct Seen {
    method: String,
    path: String,
    /// What the client sent.
    cookie: Option<String>,
    server: String,
}

fn seen(line: &str) -> Option<Seen> {
    let words: Vec<&str> = line.split("seen: ").nth(1)?.split(' ').map(str::trim).collect();
    let [method, path, cookie, server] = words[..] else { return None };
    let cookie = cookie.strip_prefix("SRV=").map(str::to_owned);
    Some(Seen { method: method.to_owned(), path: path.to_owned(), cookie, server: server.to_owned() })
}

#[test]
fn cookies_are_sent_in_the_session_that_got_them_and_nowhere_else() {
    let nodes = Nodes::start(3);
    let log = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket for the log");
    log.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    let (frontend, directory) = (free_address(), tempfile::tempdir().expect("a directory for HAProxy"));
    let servers: String =
        (0..3).map(|i| format!("  server core-{i} {}:{} cookie core-{i}\n", nodes.address(i), nodes.port)).collect();
    let config = format!(
        "global\n  log {} local0\ndefaults\n  mode http\n  log global\n  option dontlognull\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n\
         frontend front\n  bind {frontend}\n  capture cookie SRV= len 32\n  log-format \"seen: %HM %HP %CC %s\"\n  default_backend back\n\
         backend back\n  balance roundrobin\n  cookie SRV insert indirect nocache\n{servers}",
        log.local_addr().expect("a bound socket has an address")
    );
    let path = directory.path().join("haproxy.cfg");
    std::fs::write(&path, config).expect("a file for HAProxy");
    let mut command = Command::new(required("haproxy", "haproxy"));
    let _haproxy = Running::start(command.arg("-db").arg("-f").arg(&path).stdout(Stdio::null()).stderr(Stdio::null()));
    wait_until("HAProxy listens", || std::net::TcpStream::connect(frontend).is_ok());
    let cluster =
        Cluster::builder(&format!("http://{frontend}")).affinity(Affinity::Cookie).build().expect("a cluster");
    let work = async {
        let mut tasks = JoinSet::new();
        for i in 0..FILES {
            let cluster = cluster.clone();
            tasks.spawn(async move {
                let scan = cluster.scan(&mut Source::bytes(format!("{i}"), "x")).await.expect("it is taken");
                assert_eq!(scan.result().await.expect("a result").verdict, Verdict::Allowed);
            });
        }
        for _ in 0..BATCHES {
            let cluster = cluster.clone();
            tasks.spawn(async move {
                let batch = cluster.open_batch().await.expect("it is opened");
                batch.send(&mut Source::bytes("a", "x")).await.expect("it is taken");
                let ticket = batch.ticket().to_string();
                assert!(ticket.contains(" SRV=core-"), "the cookie goes with the session: {ticket}");
                batch.close().await.expect("it is closed").results().await.expect("results");
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("no session panics");
        }
    };
    work.wait();
    // And as the example has it, in a process of its own.
    let file = directory.path().join("clean.txt");
    std::fs::write(&file, "harmless").expect("a file for the test");
    let printed = output_of(Command::new(example("scan_cookie")).arg(format!("http://{frontend}")).arg(&file));
    assert_eq!(printed, "Allowed: No Threat Detected\n");
    let mut requests = Vec::new();
    let mut line = [0; 2048];
    while let Ok(len) = log.recv(&mut line) {
        requests.extend(seen(&String::from_utf8_lossy(&line[..len])));
    }
    let begins = |request: &&Seen| request.method == "POST" && request.path == "/file" || request.path == "/file/batch";
    // Uploads into a batch go where the batch is, too.
    let (first, later): (Vec<&Seen>, Vec<&Seen>) =
        requests.iter().partition(|request| begins(request) && request.cookie.is_none());
    assert_eq!(first.len(), FILES + BATCHES + 1, "no cookie begins a session");
    assert!(later.len() > FILES, "{}", later.len());
    for request in &later {
        assert_eq!(request.cookie.as_deref(), Some(request.server.as_str()), "{} {}", request.method, request.path);
    }
    let used: BTreeSet<&str> = first.iter().map(|request| request.server.as_str()).collect();
    assert_eq!(used.len(), 3, "sessions are balanced: {used:?}");
    assert_eq!(nodes.wrong(), 0);
}
