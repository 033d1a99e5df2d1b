//! Cookies and the rate limit: what each kind of client gets, and cookies that evenkeel, BIND and
//! Knot accept from each other under one secret.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use tempfile::TempDir;

use crate::support::packet::{UdpClient, over_tcp, plain_query, query};
use crate::support::program::{Process, output_of, required};
use crate::support::server::{Server, ZONE};
use crate::support::{free_address, wait_until};

/// The secret of all servers.
const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";

const CLIENT: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// How long a response to a query over the limit is waited for.
const SHORT: Duration = Duration::from_millis(300);

/// A server with the shared secret and a limit of one response per second.
fn start_limited(slip: u32) -> Server {
    let config = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\n[server.cookies]\nsecret_file = \"cookie.secrets\"\n\
         [server.rate_limit]\nresponses_per_second = 1\nslip = {slip}\n[zones.\"lb.example\"]\nfile = \"lb.zone\"\n"
    );
    let secrets = format!("# the current secret\n{SECRET}\n00000000000000000000000000000000\n");
    Server::start_with(&[("evenkeel.toml", &config), ("lb.zone", ZONE), ("cookie.secrets", &secrets)])
}

/// A query for `www.lb.example` with a COOKIE option.
fn with_cookie(cookie: &[u8]) -> Vec<u8> {
    let mut packet = query(fastrand::u16(..), 0, "www.lb.example", 1);
    let options = [&[0, 10, 0, cookie.len() as u8], cookie].concat();
    let len_at = packet.len() - 1;
    packet[len_at] = options.len() as u8;
    packet.extend(options);
    packet
}

/// The rcode of a response, and its cookie: that of the client and that of the server.
fn read(response: &[u8]) -> (ResponseCode, Option<[u8; 24]>) {
    let head = [&[0, 10, 0, 24][..], &CLIENT].concat();
    let at = response.windows(head.len()).position(|bytes| bytes == head);
    let cookie = at.and_then(|at| response[at + 4..].first_chunk()).copied();
    (Message::from_vec(response).expect("hickory decodes the response").metadata.response_code, cookie)
}

/// Sends queries until their network is over the limit.
fn exhaust(client: &UdpClient) {
    let packet = query(1, 0, "www.lb.example", 1);
    wait_until("the limit is reached", || client.exchange_within(&packet, SHORT).is_none());
}

#[test]
fn a_client_over_the_limit_is_answered_with_a_cookie_or_over_tcp() {
    let server = start_limited(0);
    let client = server.client();
    let first = client.exchange(&with_cookie(&CLIENT)).expect("the first query is answered");
    assert!(matches!(read(&first), (ResponseCode::NoError, Some(_))));
    exhaust(&client);
    let (rcode, cookie) = read(&client.exchange(&with_cookie(&CLIENT)).expect("the client can prove its address"));
    assert_eq!(rcode, ResponseCode::BADCOOKIE);
    let cookie = cookie.expect("the response has a cookie");
    for _ in 0..50 {
        let answer = client.exchange(&with_cookie(&cookie)).expect("the address is proven");
        assert_eq!(read(&answer), (ResponseCode::NoError, Some(cookie)));
    }
    // The cookie is of no use with another address.
    let elsewhere = std::net::UdpSocket::bind("127.0.0.2:0").expect("the system has a free port");
    elsewhere.set_read_timeout(Some(SHORT)).expect("the timeout is above zero");
    elsewhere.send_to(&with_cookie(&cookie), server.address()).expect("loopback has a route");
    let mut buffer = [0; 512];
    let len = elsewhere.recv(&mut buffer).expect("the client can prove its address");
    assert_eq!(read(&buffer[..len]).0, ResponseCode::BADCOOKIE);
    let packets = vec![query(7, 0, "www.lb.example", 1), with_cookie(&CLIENT)];
    let over_tcp = over_tcp(server.address(), &packets);
    assert!(over_tcp.iter().all(|response| read(response).0 == ResponseCode::NoError));
    assert_eq!(read(&over_tcp[1]).1, Some(cookie), "clients get their cookie over TCP, too");
}

#[test]
fn some_responses_over_the_limit_are_truncated() {
    let server = start_limited(2);
    let client = server.client();
    let mut truncated = 0;
    let mut dropped = 0;
    wait_until("responses are truncated and dropped", || {
        match client.exchange_within(&plain_query(fastrand::u16(..), 0, "www.lb.example", 1), SHORT) {
            None => dropped += 1,
            Some(response) if response[2] & 2 != 0 => {
                let message = Message::from_vec(&response).expect("hickory decodes the response");
                assert!(message.answers.is_empty() && message.metadata.response_code == ResponseCode::NoError);
                truncated += 1;
            }
            Some(_) => {}
        }
        truncated >= 2 && dropped >= 2
    });
}

#[test]
fn cookies_of_a_wrong_length_are_refused_and_ignored_if_cookies_are_off() {
    let server = start_limited(0);
    for len in [0, 1, 7, 9, 15, 41, 60] {
        let response = over_tcp(server.address(), &[with_cookie(&vec![1; len])]).remove(0);
        assert_eq!(read(&response).0, ResponseCode::FormErr, "{len} bytes");
    }
    let off = Server::start(
        "[server]\nlisten = [\"127.0.0.1:0\"]\ncookies = { enabled = false }\n[zones.\"lb.example\"]\nfile = \"lb.zone\"\n",
    );
    let response = off.client().exchange(&with_cookie(&CLIENT)).expect("the query is answered");
    assert_eq!(read(&response), (ResponseCode::NoError, None));
}

/// RFC 7873 §5.4: the packet that `dig +header-only` sends.
#[test]
fn a_query_without_a_question_gets_a_cookie() {
    let server = start_limited(0);
    let mut packet = vec![0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8];
    packet.extend(CLIENT);
    let response = server.client().exchange(&packet).expect("the client gets a cookie");
    let (rcode, cookie) = read(&response);
    assert!(rcode == ResponseCode::NoError && cookie.is_some(), "{response:02x?}");
    assert_eq!(response[4..6], [0, 0], "there is no question");
    let without_cookie = [0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let response = over_tcp(server.address(), &[without_cookie.to_vec()]).remove(0);
    assert_eq!(read(&response).0, ResponseCode::FormErr);
}

#[test]
fn own_secrets_survive_a_restart() {
    let directory = tempfile::tempdir().expect("the test can create a directory");
    let config = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nstate_dir = \"{}\"\n[zones.\"lb.example\"]\nfile = \"lb.zone\"\n",
        directory.path().display()
    );
    let cookie = |server: &Server, sent: &[u8]| {
        read(&server.client().exchange(&with_cookie(sent)).expect("the query is answered")).1.expect("a cookie")
    };
    let first = Server::start(&config);
    let given = cookie(&first, &CLIENT);
    drop(first);
    // A right cookie is sent back unchanged, even if the clock of the test has moved on.
    assert_eq!(cookie(&Server::start(&config), &given), given);
}

/// Another server, which answers only clients with a right cookie.
struct Peer {
    address: SocketAddr,
    _process: Process,
    _directory: TempDir,
}

impl Peer {
    fn start(command: impl FnOnce(&Path, SocketAddr) -> Command) -> Self {
        let directory = tempfile::tempdir().expect("the test can create a directory");
        std::fs::write(directory.path().join("lb.zone"), ZONE).expect("the test can write its directory");
        let address = free_address();
        let mut command = command(directory.path(), address);
        let process = Process::start(command.stdout(Stdio::null()).stderr(Stdio::null()));
        let client = UdpClient::new(address);
        wait_until("the peer responds", || client.exchange_within(&with_cookie(&CLIENT), SHORT).is_some());
        Self { address, _process: process, _directory: directory }
    }

    fn bind() -> Self {
        let program = required("named", "bind9");
        Self::start(|directory, address| {
            let (dir, ip, port) = (directory.display(), address.ip(), address.port());
            let config = format!(
                "options {{ directory \"{dir}\"; listen-on port {port} {{ {ip}; }}; listen-on-v6 {{ none; }}; \
                 pid-file none; recursion no; cookie-secret \"{SECRET}\"; require-server-cookie yes; \
                 session-keyfile none; managed-keys-directory \"{dir}\"; }};\ncontrols {{ }};\n\
                 zone \"lb.example\" {{ type primary; file \"lb.zone\"; }};\n"
            );
            let path = directory.join("named.conf");
            std::fs::write(&path, config).expect("the test can write its directory");
            let mut command = Command::new(program);
            command.arg("-g").arg("-c").arg(path);
            command
        })
    }

    fn knot() -> Self {
        let program = required("knotd", "knot");
        Self::start(|directory, address| {
            let dir = directory.display();
            let config = format!(
                "server:\n  rundir: {dir}\n  listen: {}@{}\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n\
                 database:\n  storage: {dir}\nmod-cookies:\n  - id: all\n    secret: [0x{SECRET}]\n    badcookie-slip: 1\n\
                 template:\n  - id: default\n    storage: {dir}\n    semantic-checks: off\n    journal-content: none\n    \
                 global-module: mod-cookies/all\nzone:\n  - domain: lb.example\n    file: lb.zone\n",
                address.ip(),
                address.port()
            );
            let path = directory.join("knot.conf");
            std::fs::write(&path, config).expect("the test can write its directory");
            let mut command = Command::new(program);
            command.arg("-c").arg(path);
            command
        })
    }
}

/// Asserts that either server accepts the cookies of the other.
fn exchange_cookies(peer: &Peer) {
    let theirs = UdpClient::new(peer.address);
    let (rcode, cookie) = read(&theirs.exchange(&with_cookie(&CLIENT)).expect("the peer responds"));
    assert_eq!(rcode, ResponseCode::BADCOOKIE, "the peer wants cookies");
    let cookie = cookie.expect("the peer gives a cookie");
    let server = start_limited(0);
    let ours = server.client();
    exhaust(&ours);
    let answer = ours.exchange(&with_cookie(&cookie)).expect("the cookie of the peer is accepted");
    assert_eq!(read(&answer), (ResponseCode::NoError, Some(cookie)));
    let own = read(&ours.exchange(&with_cookie(&CLIENT)).expect("the client gets a cookie")).1.expect("a cookie");
    let answer = theirs.exchange(&with_cookie(&own)).expect("the peer responds");
    assert_eq!(read(&answer).0, ResponseCode::NoError, "the peer accepts the cookie of evenkeel");
}

#[test]
fn bind_and_evenkeel_accept_the_cookies_of_each_other() {
    exchange_cookies(&Peer::bind());
}

#[test]
fn knot_and_evenkeel_accept_the_cookies_of_each_other() {
    exchange_cookies(&Peer::knot());
}

/// dig sends the cookie of a BADCOOKIE response in a second query, and says whether the cookie of
/// the response is good.
#[test]
fn dig_gets_an_answer_over_the_limit() {
    let server = start_limited(0);
    exhaust(&server.client());
    let address = server.address();
    let mut dig = Command::new(required("dig", "bind9-dnsutils"));
    dig.args([&format!("@{}", address.ip()), "-p", &address.port().to_string(), "+cookie", "www.lb.example"]);
    let output = output_of(&mut dig);
    assert!(output.contains("(good)") && output.contains("192.0.2.80"), "{output}");
}
