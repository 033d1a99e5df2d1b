//! Reload and stop: nothing is lost on the way.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::support::nodes::Nodes;
use crate::support::packet::{Client, framed, query, read_framed, stalled, v4};
use crate::support::server::{CONFIG, Server, ZONE};
use crate::support::{free_address, wait_until};

#[test]
fn a_reload_changes_everything_at_once() {
    let mut server = Server::start(CONFIG);
    server.write("other.zone", ZONE);
    server.reload(&format!("{CONFIG}ttl = \"9s\"\n[zones.\"other.example\"]\nfile = \"other.zone\"\n"));
    let client = server.client();
    assert_eq!(client.ask("core.lb.example", 1).answers[0].ttl, 9);
    assert_eq!(client.ask("www.other.example", 1).answers.len(), 1);
    server.wait_for_log("generation 2: 2 zones, 1 name, 1 pool, 1 node");
}

#[test]
fn a_bad_file_changes_nothing_and_says_why() {
    let mut server = Server::start(CONFIG);
    let address = server.address();
    let mut refused = 0;
    for (bad, why) in [
        (CONFIG.replace("pool = \"core\"", "pool = \"cores\""), "uses pool \"cores\", which is not defined"),
        (format!("{CONFIG}[oops"), "evenkeel.toml:10:"),
        (
            CONFIG.replace("\"127.0.0.1:0\"", &format!("\"127.0.0.1:0\", \"{}\"", UdpHolder::new().0)),
            "in use by another process",
        ),
    ] {
        let _holder = UdpHolder::occupy(&bad);
        server.reload(&bad);
        refused += 1;
        assert_eq!(
            server.log().matches("reload refused, everything stays as it was").count(),
            refused,
            "{}",
            server.log()
        );
        assert!(server.log_has(why), "no \"{why}\" in\n{}", server.log());
        assert_eq!(v4(&Client::new(address).ask("core.lb.example", 1)), [Ipv4Addr::new(192, 0, 2, 11)]);
    }
    server.write("lb.zone", "nonsense");
    server.reload(CONFIG);
    server.wait_for_log("lb.zone:1:1: error: no record type for nonsense.lb.example");
    assert_eq!(server.client().ask("www.lb.example", 1).answers.len(), 1);
}

/// An address, and a socket that takes it away from the server.
struct UdpHolder(SocketAddr);

impl UdpHolder {
    fn new() -> Self {
        Self(free_address())
    }

    /// Occupies the second address of a configuration, if it has one.
    fn occupy(config: &str) -> Option<UdpSocket> {
        let listen = config.lines().find(|line| line.starts_with("listen"))?;
        let second = listen.split('"').nth(3)?;
        Some(UdpSocket::bind(second).expect("the address was free a moment ago"))
    }
}

#[test]
fn listeners_may_change() {
    let mut server = Server::start(CONFIG);
    let (old, new) = (server.address(), free_address());
    server.reload(&CONFIG.replace("127.0.0.1:0", &new.to_string()));
    assert_eq!(server.address(), new);
    assert_eq!(server.client().ask("core.lb.example", 1).answers.len(), 1);
    let packet = query(1, 0, "core.lb.example", 1);
    wait_until("the old address is silent", || {
        Client::new(old).exchange_within(&packet, Duration::from_millis(50)).is_none()
    });
    assert!(TcpStream::connect(old).is_err());
}

#[test]
fn a_wildcard_may_become_an_address_and_back() {
    let port = free_address().port();
    let config = |listen: &str| CONFIG.replace("[\"127.0.0.1:0\"]", &format!("[{listen}]\nworkers = 1"));
    let mut server = Server::start(&config(&format!("\"0.0.0.0:{port}\"")));
    let shared_with_others = || {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
        socket.set_reuse_port(true).expect("an option that Linux has");
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).is_ok()
    };
    for (listen, count) in [
        (format!("\"127.0.0.1:{port}\""), 1),
        (format!("\"0.0.0.0:{port}\", \"127.0.0.1:{port}\""), 2),
        (format!("\"0.0.0.0:{port}\""), 1),
    ] {
        server.reload(&config(&listen));
        let last = server.log().lines().last().unwrap_or_default().to_owned();
        assert!(last.contains("reloaded: ") && last.matches("UDP+TCP").count() == count, "{last}");
        let client = Client::new((Ipv4Addr::LOCALHOST, port).into());
        assert_eq!(client.ask("core.lb.example", 1).answers.len(), 1);
        assert!(!shared_with_others(), "{last}");
    }
}

/// The address that is left takes two seconds to end, since somebody takes no answers there.
#[test]
fn no_socket_that_nobody_reads_swallows_questions_for_another() {
    for workers in [1, 2] {
        let port = free_address().port();
        let listen = |address: &str| {
            let limits = format!("[\"{address}:{port}\"]\nworkers = {workers}\ntcp_idle_timeout = \"10m\"");
            CONFIG.replace("[\"127.0.0.1:0\"]", &limits)
        };
        let mut server = Server::start(&listen("127.0.0.1"));
        let client = Client::new(server.address());
        let _stalled = stalled(server.address(), "core.lb.example");
        server.reload(&listen("0.0.0.0"));
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(300) {
            // One question may meet the socket in the moment in which it is closed.
            let ask = |_| client.exchange_within(&query(1, 0, "core.lb.example", 1), Duration::from_millis(200));
            assert!((0..3).find_map(ask).is_some(), "nobody answers {workers} workers' clients");
        }
    }
}

#[test]
fn a_reload_reports_what_it_has_changed() {
    let nodes = Nodes::start(3);
    nodes.fake(1, r#"{"readyz": 503}"#);
    nodes.fake(2, r#"{"readyz": 503}"#);
    let config = |names: &[u8]| {
        let pool: String =
            names.iter().map(|&i| format!("{{ name = \"n{i}\", address = \"{}\" }},", nodes.address(i))).collect();
        let monitor = format!("[monitors.ready]\nkind = \"http\"\nport = {}\npath = \"/readyz\"\n", nodes.port);
        CONFIG.replace(
            "nodes = [{ name = \"a\", address = \"192.0.2.11\" }]",
            &format!("monitors = [\"ready\"]\nnodes = [{pool}]"),
        ) + &monitor
    };
    let mut server = Server::start(&config(&[1]));
    server.wait_for_log("(fail open)");
    server.reload(&config(&[1]));
    assert_eq!(server.log().matches("(fail open)").count(), 1, "nothing new: {}", server.log());
    assert_eq!(server.log().matches("core/n1").count(), 1, "nothing new: {}", server.log());
    server.reload(&config(&[1, 2]));
    assert!(
        server.log_has("core/n2 (") && server.log_has("is down: first probe failed, status 503"),
        "{}",
        server.log()
    );
    server.reload(&config(&[0, 1, 2]));
    server.wait_for_log("pool core: active nodes are up again");
    // Another monitor that a node fails is a flip, too.
    let stricter = config(&[0, 1, 2]).replace("monitors = [\"ready\"]", "monitors = [\"ready\", \"strict\"]")
        + &format!("[monitors.strict]\nkind = \"http\"\nport = {}\npath = \"/nonexistent\"\n", nodes.port);
    server.reload(&stricter);
    server.wait_for_log("is down by the monitors of the new configuration, status 404");
}

#[test]
fn health_of_nodes_that_stay_is_kept_and_new_nodes_are_probed_first() {
    let mut nodes = Nodes::start(3);
    let config = |ttl: u8, nodes: &Nodes, names: &[u8]| {
        let pool: String =
            names.iter().map(|&i| format!("{{ name = \"n{i}\", address = \"{}\" }},", nodes.address(i))).collect();
        let monitor = format!(
            "[monitors.ready]\nkind = \"http\"\nport = {}\npath = \"/readyz\"\ninterval = \"10m\"\n",
            nodes.port
        );
        CONFIG.replace(
            "nodes = [{ name = \"a\", address = \"192.0.2.11\" }]",
            &format!("monitors = [\"ready\"]\nnodes = [{pool}]"),
        ) + &format!("ttl = \"{ttl}s\"\n{monitor}")
    };
    nodes.fake(1, r#"{"readyz": 503}"#);
    let mut server = Server::start(&config(1, &nodes, &[0, 1]));
    let client = server.client();
    assert_eq!(v4(&client.ask("core.lb.example", 1)), [nodes.address(0)]);
    // Nobody looks again for ten minutes: what was seen before the reload must still count after it.
    nodes.kill(0);
    nodes.fake(1, r#"{"readyz": 200}"#);
    server.reload(&config(2, &nodes, &[0, 1, 2]));
    let answer = server.client().ask("core.lb.example", 1);
    assert_eq!(answer.answers[0].ttl, 2);
    let mut addresses = v4(&answer);
    addresses.sort_unstable();
    assert_eq!(addresses, [nodes.address(0), nodes.address(2)]);
    assert!(!server.log_has("n2 (127"), "a node that is up is no news:\n{}", server.log());
}

#[test]
fn no_query_is_lost_while_reloading_again_and_again() {
    let mut server = Server::start(CONFIG);
    server.write("other.zone", ZONE);
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let askers: Vec<_> = (0..2)
        .map(|_| {
            let (client, stop, asked) = (server.client(), Arc::clone(&stop), Arc::clone(&asked));
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let packet = query(fastrand::u16(..), 0, "core.lb.example", 1);
                    let answer =
                        client.exchange_within(&packet, Duration::from_secs(5)).expect("an answer under reload");
                    assert_eq!(answer[7], 1, "one address in every answer");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let extra = free_address();
    for round in 0..20 {
        let more = if round % 2 == 0 { "[zones.\"other.example\"]\nfile = \"other.zone\"\n" } else { "" };
        let listen =
            if round % 3 == 0 { format!("\"127.0.0.1:0\", \"{extra}\"") } else { "\"127.0.0.1:0\"".to_owned() };
        server.reload(&(CONFIG.replace("\"127.0.0.1:0\"", &listen) + more));
    }
    wait_until("the clients have asked", || asked.load(Ordering::Relaxed) > 1000);
    stop.store(true, Ordering::Relaxed);
    for asker in askers {
        asker.join().expect("no query was lost");
    }
    server.wait_for_log("generation 21");
}

#[test]
fn what_is_in_flight_is_answered_before_the_end() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start(CONFIG);
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a client socket");
        udp.connect(server.address()).expect("a route to loopback");
        udp.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout above zero");
        let mut open = TcpStream::connect(server.address()).expect("a TCP connection");
        open.write_all(&framed(&query(1, 0, "core.lb.example", 1))).expect("the server reads");
        read_framed(&mut open).expect("an answer");
        // While the server stands still, queries and the signal arrive; then it goes on.
        server.signal("STOP");
        for id in 0..100 {
            udp.send(&query(id, 0, "core.lb.example", 1)).expect("a route to loopback");
        }
        let mut new = TcpStream::connect(server.address()).expect("the system accepts for the server");
        for stream in [&mut open, &mut new] {
            stream.write_all(&framed(&query(7, 0, "core.lb.example", 1))).expect("the system reads for the server");
        }
        server.signal(signal);
        server.signal("CONT");
        let mut answered: Vec<bool> = vec![false; 100];
        for _ in 0..100 {
            let mut buffer = [0; 1500];
            udp.recv(&mut buffer).expect("every query that arrived is answered");
            answered[usize::from(buffer[1])] = true;
        }
        assert!(answered.iter().all(|&a| a));
        for stream in [&mut open, &mut new] {
            stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout above zero");
            assert_eq!(read_framed(stream).expect("an answer over TCP")[..2], [0, 7]);
        }
        assert_eq!(server.wait().code(), Some(0));
        assert!(server.log_has(&format!("SIG{signal}: stopping")));
    }
}

#[test]
fn wildcard_listens_answer_from_the_address_that_was_asked() {
    let server = Server::start(&CONFIG.replace("\"127.0.0.1:0\"", "\"0.0.0.0:0\""));
    let port = server.address().port();
    for last in [1, 2, 77] {
        // A connected socket takes answers from the address it asked only.
        let client = Client::new((Ipv4Addr::new(127, 0, 0, last), port).into());
        assert_eq!(client.ask("core.lb.example", 1).answers.len(), 1);
    }
    // Many at once, asked at addresses by turns, and in rows.
    let clients: Vec<_> = (0..60_u8)
        .map(|i| Client::new((Ipv4Addr::new(127, 0, 0, if i < 30 { i % 3 + 1 } else { i / 10 }), port).into()))
        .collect();
    // The server is stopped meanwhile, so that it finds them all waiting, in rows of a batch.
    server.signal("STOP");
    for (id, client) in (0..).zip(&clients) {
        client.send(&query(id, 0, "core.lb.example", 1));
    }
    server.signal("CONT");
    for (id, client) in (0_u16..).zip(&clients) {
        assert_eq!(client.receive().expect("an answer from the address that was asked")[..2], id.to_be_bytes());
    }
    let server = Server::start(&CONFIG.replace("\"127.0.0.1:0\"", "\"[::]:0\""));
    let client = Client::new(("::1".parse::<std::net::IpAddr>().unwrap(), server.address().port()).into());
    assert_eq!(client.ask("core.lb.example", 1).answers.len(), 1);
}
