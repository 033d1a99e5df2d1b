//! What each kind of monitor says of each way to fail: the table of `docs/answers.md`, measured.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::socket::{Backlog, listen};
use tokio::net::TcpSocket;

use crate::operators::done;
use crate::support::server::{Server, ZONE};

/// How a node behaves.
#[derive(Clone, Copy)]
enum Behaviour {
    /// Answers as it should.
    Well,
    /// Nobody listens.
    Refuses,
    /// Packets get no reply.
    Blackholed,
    /// Accepts, and never says a word.
    HalfOpen,
    /// Says the right words, slower than the timeout.
    Slow,
    /// Says something else.
    Wrong,
    /// Hangs up without a word.
    HangsUp,
}

const BEHAVIOURS: [Behaviour; 7] = [
    Behaviour::Well,
    Behaviour::Refuses,
    Behaviour::Blackholed,
    Behaviour::HalfOpen,
    Behaviour::Slow,
    Behaviour::Wrong,
    Behaviour::HangsUp,
];

/// Kind, its keys, what a good node says and what a bad one says.
const KINDS: [(&str, &str, &str, &str); 4] = [
    (
        "http",
        "path = \"/readyz\"",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno",
    ),
    ("tcp", "expect = \"READY\"", "READY\r\n", "BUSY\r\n"),
    (
        "icap",
        "service = \"avscan\"",
        "ICAP/1.0 200 OK\r\nMethods: RESPMOD\r\nISTag: \"x\"\r\nEncapsulated: null-body=0\r\n\r\n",
        "ICAP/1.0 404 ICAP Service not found\r\n\r\n",
    ),
    ("agent", "", "up ready\n", "nonsense\n"),
];

/// A node that behaves so, and what keeps it alive.
fn node(behaviour: Behaviour, good: &'static str, bad: &'static str) -> (u16, Vec<TcpStream>) {
    if matches!(behaviour, Behaviour::Refuses) {
        // Bound, so that no other test gets the port, and not listening.
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("loopback has a free port");
        let port = socket.local_addr().expect("a bound socket has an address").port();
        std::mem::forget(socket);
        return (port, Vec::new());
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let mut held = Vec::new();
    if matches!(behaviour, Behaviour::Blackholed) {
        // The kernel drops what does not fit into the queue.
        listen(&listener, Backlog::new(0).expect("a short queue")).expect("it listens already");
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            held.push(stream);
        }
        std::mem::forget(listener);
        return (address.port(), held);
    }
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer(stream, behaviour, good, bad));
        }
    });
    (address.port(), held)
}

/// Whoever asks may hang up before; that is no failure of this side.
fn answer(mut stream: TcpStream, behaviour: Behaviour, good: &str, bad: &str) {
    let mut say = |bytes: &[u8]| drop(stream.write_all(bytes));
    match behaviour {
        Behaviour::Well => say(good.as_bytes()),
        Behaviour::Wrong => say(bad.as_bytes()),
        Behaviour::Slow => good.bytes().for_each(|byte| {
            std::thread::sleep(Duration::from_millis(400));
            say(&[byte]);
        }),
        _ => {}
    }
    if !matches!(behaviour, Behaviour::HalfOpen) {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
    while matches!(stream.read(&mut [0; 512]), Ok(1..)) {}
}

#[test]
fn verdicts_are_those_of_the_documentation() {
    let mut config = "[server]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nsocket = \"admin.sock\"\n[zones.\"lb.example\"]\n\
                      file = \"lb.zone\"\n"
        .to_owned();
    let mut held = Vec::new();
    for (kind, keys, good, bad) in KINDS {
        for (n, behaviour) in BEHAVIOURS.into_iter().enumerate() {
            let (port, streams) = node(behaviour, good, bad);
            held.extend(streams);
            config += &format!(
                "[monitors.{kind}-{n}]\nkind = \"{kind}\"\nport = {port}\n{keys}\ninterval = \"1s\"\ntimeout = \"1s\"\n\
                 rise = 1\nfall = 1\n[pools.{kind}-{n}]\nmonitors = [\"{kind}-{n}\"]\nwhen_empty = \"nodata\"\n\
                 nodes = [{{ name = \"a\", address = \"127.0.0.1\" }}]\n[names.\"{kind}-{n}.lb.example\"]\n\
                 pool = \"{kind}-{n}\"\n"
            );
        }
    }
    let server = Server::start_with(&[("evenkeel.toml", &config), ("lb.zone", ZONE)]);
    let verdicts = || -> Vec<String> {
        let status: serde_json::Value = serde_json::from_str(&done(&server, "status --json")).expect("JSON");
        let pools = status["pools"].as_array().expect("pools");
        pools.iter().map(|pool| pool["nodes"][0]["why"].as_str().expect("a reason").to_owned()).collect()
    };
    let table = || {
        let verdicts = verdicts();
        let rows = verdicts.chunks(BEHAVIOURS.len()).zip(KINDS);
        rows.map(|(verdicts, (kind, ..))| format!("| `{kind}` | {} |\n", verdicts.join(" | "))).collect::<String>()
    };
    let documented = std::fs::read_to_string("docs/answers.md").expect("the reference");
    let begin = documented.find("| `http` | up |").expect("the table of docs/answers.md");
    let documented = documented[begin..].split("\n\n").next().unwrap_or_default();
    // A good node may be too slow once on a busy machine; the documentation holds in the end.
    let deadline = Instant::now() + Duration::from_secs(20);
    while table().trim_end() != documented && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(table().trim_end(), documented);
    drop(held);
}
