//! Reload and stop: the server loses no query, and a bad configuration changes nothing.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::support::nodes::Nodes;
use crate::support::packet::{UdpClient, framed, ipv4_addresses, query, read_framed, stalled_client};
use crate::support::server::{CONFIG, Server, ZONE};
use crate::support::{free_address, wait_until};

#[test]
fn a_reload_applies_zones_names_and_ttls_together() {
    let mut server = Server::start(CONFIG);
    server.write("other.zone", ZONE);
    server.reload(&format!("{CONFIG}ttl = \"9s\"\n[zones.\"other.example\"]\nfile = \"other.zone\"\n"));
    let client = server.client();
    assert_eq!(client.ask("core.lb.example", 1).answers[0].ttl, 9);
    assert_eq!(client.ask("www.other.example", 1).answers.len(), 1);
    server.wait_for_log("generation 2: 2 zones, 1 name, 1 pool, 1 node");
}

#[test]
fn a_bad_configuration_changes_nothing_and_the_log_says_why() {
    let mut server = Server::start(CONFIG);
    let address = server.address();
    let mut refused = 0;
    for (bad, reason) in [
        (CONFIG.replace("pool = \"core\"", "pool = \"cores\""), "uses pool \"cores\", which is not defined"),
        (format!("{CONFIG}[oops"), "evenkeel.toml:10:"),
        (
            CONFIG.replace("\"127.0.0.1:0\"", &format!("\"127.0.0.1:0\", \"{}\"", free_address())),
            "in use by another process",
        ),
    ] {
        let _socket = occupy_second_address(&bad);
        server.reload(&bad);
        refused += 1;
        assert_eq!(
            server.log().matches("reload refused, everything stays as it was").count(),
            refused,
            "{}",
            server.log()
        );
        assert!(server.log_has(reason), "the log lacks \"{reason}\":\n{}", server.log());
        assert_eq!(ipv4_addresses(&UdpClient::new(address).ask("core.lb.example", 1)), [Ipv4Addr::new(192, 0, 2, 11)]);
    }
    server.write("lb.zone", "nonsense");
    server.reload(CONFIG);
    server.wait_for_log("lb.zone:1:1: error: no record type for nonsense.lb.example");
    assert_eq!(server.client().ask("www.lb.example", 1).answers.len(), 1);
}

/// Binds the second address of a configuration, if there is one, so that the server cannot bind it.
fn occupy_second_address(config: &str) -> Option<UdpSocket> {
    let listen = config.lines().find(|line| line.starts_with("listen"))?;
    let second = listen.split('"').nth(3)?;
    Some(UdpSocket::bind(second).expect("the address is free"))
}

#[test]
fn a_reload_can_change_the_address() {
    let mut server = Server::start(CONFIG);
    let (old, new) = (server.address(), free_address());
    server.reload(&CONFIG.replace("127.0.0.1:0", &new.to_string()));
    assert_eq!(server.address(), new);
    assert_eq!(server.client().ask("core.lb.example", 1).answers.len(), 1);
    let packet = query(1, 0, "core.lb.example", 1);
    wait_until("the old address is closed", || {
        UdpClient::new(old).exchange_within(&packet, Duration::from_millis(50)).is_none()
            && TcpStream::connect(old).is_err()
    });
}

#[test]
fn a_reload_can_replace_a_wildcard_by_an_address_and_back() {
    let port = free_address().port();
    let config = |listen: &str| CONFIG.replace("[\"127.0.0.1:0\"]", &format!("[{listen}]\nworkers = 1"));
    let mut server = Server::start(&config(&format!("\"0.0.0.0:{port}\"")));
    let can_be_shared = || {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket can be created");
        socket.set_reuse_port(true).expect("Linux has the option");
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
        let client = UdpClient::new((Ipv4Addr::LOCALHOST, port).into());
        assert_eq!(client.ask("core.lb.example", 1).answers.len(), 1);
        assert!(!can_be_shared(), "{last}");
    }
}

/// The server closes the old address only after 2 s, because a TCP client on it does not read its
/// responses. Until then, the old UDP sockets must not receive queries for the new address.
#[test]
fn closing_sockets_take_no_queries_from_new_ones() {
    for workers in [1, 2] {
        let port = free_address().port();
        let listen = |address: &str| {
            let limits = format!("[\"{address}:{port}\"]\nworkers = {workers}\ntcp_idle_timeout = \"10m\"");
            CONFIG.replace("[\"127.0.0.1:0\"]", &limits)
        };
        let mut server = Server::start(&listen("127.0.0.1"));
        let client = UdpClient::new(server.address());
        let _stalled = stalled_client(server.address(), "core.lb.example");
        server.reload(&listen("0.0.0.0"));
        for _ in 0..1000 {
            // Three attempts take less than the two seconds until the old address is closed. One
            // query can reach the old socket at the moment at which it closes.
            let ask = |_| client.exchange_within(&query(1, 0, "core.lb.example", 1), Duration::from_millis(500));
            assert!((0..3).find_map(ask).is_some(), "no response with {workers} workers");
        }
    }
}

#[test]
fn a_reload_logs_only_what_it_changed() {
    let nodes = Nodes::start(3);
    nodes.set_faults(1, r#"{"readyz": 503}"#);
    nodes.set_faults(2, r#"{"readyz": 503}"#);
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
    assert_eq!(
        server.log().matches("(fail open)").count(),
        1,
        "a reload without changes logs nothing: {}",
        server.log()
    );
    assert_eq!(server.log().matches("core/n1").count(), 1, "a reload without changes logs nothing: {}", server.log());
    server.reload(&config(&[1, 2]));
    assert!(
        server.log_has("core/n2 (") && server.log_has("is down: first probe failed, status 503"),
        "{}",
        server.log()
    );
    server.reload(&config(&[0, 1, 2]));
    server.wait_for_log("pool core: active nodes are up again");
    // A further monitor that a node fails is a transition as well.
    let stricter = config(&[0, 1, 2]).replace("monitors = [\"ready\"]", "monitors = [\"ready\", \"strict\"]")
        + &format!("[monitors.strict]\nkind = \"http\"\nport = {}\npath = \"/nonexistent\"\n", nodes.port);
    server.reload(&stricter);
    server.wait_for_log("is down by the monitors of the new configuration, status 404");
}

#[test]
fn a_reload_keeps_health_and_probes_new_nodes_first() {
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
    nodes.set_faults(1, r#"{"readyz": 503}"#);
    let mut server = Server::start(&config(1, &nodes, &[0, 1]));
    let client = server.client();
    assert_eq!(ipv4_addresses(&client.ask("core.lb.example", 1)), [nodes.address(0)]);
    // The next probe is due after ten minutes, so the reload must keep the health from before.
    nodes.stop(0);
    nodes.set_faults(1, r#"{"readyz": 200}"#);
    server.reload(&config(2, &nodes, &[0, 1, 2]));
    let answer = server.client().ask("core.lb.example", 1);
    assert_eq!(answer.answers[0].ttl, 2);
    let mut addresses = ipv4_addresses(&answer);
    addresses.sort_unstable();
    assert_eq!(addresses, [nodes.address(0), nodes.address(2)]);
    assert!(!server.log_has("n2 (127"), "the log does not mention a node that is up:\n{}", server.log());
}

#[test]
fn repeated_reloads_lose_no_query() {
    let mut server = Server::start(CONFIG);
    server.write("other.zone", ZONE);
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let clients: Vec<_> = (0..2)
        .map(|_| {
            let (client, stop, answered) = (server.client(), Arc::clone(&stop), Arc::clone(&answered));
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let packet = query(fastrand::u16(..), 0, "core.lb.example", 1);
                    let response = client.exchange(&packet).expect("the server responds during reloads");
                    assert_eq!(response[7], 1, "every response has one address");
                    answered.fetch_add(1, Ordering::Relaxed);
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
    wait_until("1000 queries are answered", || answered.load(Ordering::Relaxed) > 1000);
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("no query was lost");
    }
    server.wait_for_log("generation 21");
}

#[test]
fn queries_that_arrived_before_the_signal_are_answered() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start(CONFIG);
        let udp = UdpSocket::bind("127.0.0.1:0").expect("the system has a free port");
        udp.connect(server.address()).expect("loopback has a route");
        udp.set_read_timeout(Some(Duration::from_secs(10))).expect("the timeout is above zero");
        let mut open = TcpStream::connect(server.address()).expect("the server accepts connections");
        open.write_all(&framed(&query(1, 0, "core.lb.example", 1))).expect("the server reads requests");
        read_framed(&mut open).expect("the server responds");
        // Queries and the signal arrive while the server is stopped; then it continues.
        server.signal("STOP");
        for id in 0..100 {
            udp.send(&query(id, 0, "core.lb.example", 1)).expect("loopback has a route");
        }
        let mut new = TcpStream::connect(server.address()).expect("the kernel accepts for the stopped server");
        for stream in [&mut open, &mut new] {
            stream
                .write_all(&framed(&query(7, 0, "core.lb.example", 1)))
                .expect("the kernel buffers for the stopped server");
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
            stream.set_read_timeout(Some(Duration::from_secs(10))).expect("the timeout is above zero");
            assert_eq!(read_framed(stream).expect("the server responds over TCP")[..2], [0, 7]);
        }
        assert_eq!(server.wait().code(), Some(0));
        assert!(server.log_has(&format!("SIG{signal}: stopping")));
    }
}

#[test]
fn wildcard_sockets_respond_from_the_queried_address() {
    let server = Server::start(&CONFIG.replace("\"127.0.0.1:0\"", "\"0.0.0.0:0\""));
    let port = server.address().port();
    for last in [1, 2, 77] {
        // A connected socket receives only packets from the queried address.
        let client = UdpClient::new((Ipv4Addr::new(127, 0, 0, last), port).into());
        assert_eq!(client.ask("core.lb.example", 1).answers.len(), 1);
    }
    // Many queries at once: the first half alternates between addresses, the second half does not.
    let clients: Vec<_> = (0..60_u8)
        .map(|i| UdpClient::new((Ipv4Addr::new(127, 0, 0, if i < 30 { i % 3 + 1 } else { i / 10 }), port).into()))
        .collect();
    // The server is stopped while they arrive, so it reads them in batches.
    server.signal("STOP");
    for (id, client) in (0..).zip(&clients) {
        client.send(&query(id, 0, "core.lb.example", 1));
    }
    server.signal("CONT");
    for (id, client) in (0_u16..).zip(&clients) {
        assert_eq!(client.receive()[..2], id.to_be_bytes());
    }
    let server = Server::start(&CONFIG.replace("\"127.0.0.1:0\"", "\"[::]:0\""));
    let client = UdpClient::new(("::1".parse::<std::net::IpAddr>().unwrap(), server.address().port()).into());
    assert_eq!(client.ask("core.lb.example", 1).answers.len(), 1);
}
