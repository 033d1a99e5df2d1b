//! Signals at odd moments, and a log that nobody takes.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;

use crate::support::packet::{Client, over_tcp, query, stalled};
use crate::support::server::{Server, ZONE};
use crate::support::{PATIENCE, free_address, wait_until};

/// A node that takes connections and never answers.
fn silent_node(last: u8) -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 251, 0, last), 0)).expect("a silent node");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    (listener, port)
}

/// One node, waited for much longer than a test is.
fn config(listen: &str, node: &str, port: u16) -> String {
    format!(
        "[server]\nlisten = [\"{listen}\"]\nstartup_grace = \"60s\"\n[zones.\"lb.example\"]\nfile = \"lb.zone\"\n\
         [monitors.ready]\nkind = \"http\"\nport = {port}\ninterval = \"1m\"\ntimeout = \"1m\"\n[pools.core]\n\
         monitors = [\"ready\"]\nnodes = [{{ name = \"a\", address = \"{node}\" }}]\n[names.\"core.lb.example\"]\npool = \"core\"\n"
    )
}

/// The same without anybody to wait for.
fn quick(listen: &str) -> String {
    config(listen, "192.0.2.1", 1).replace("monitors = [\"ready\"]\n", "")
}

#[test]
fn a_start_that_waits_for_probes_obeys_signals() {
    let (_node, port) = silent_node(1);
    let mut server =
        Server::launch(&[("evenkeel.toml", &config("127.0.0.1:0", "127.251.0.1", port)), ("lb.zone", ZONE)]);
    server.wait_for_log("starting: 1 zone, 1 name, 1 pool, 1 node");
    server.signal("HUP");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    server.wait_for_log("SIGTERM: stopped before the start was over");
}

#[test]
fn a_reload_that_waits_for_probes_gives_way_to_the_next_and_to_the_end() {
    let (_node, port) = silent_node(2);
    let mut server = Server::start(&quick("127.0.0.1:0"));
    server.write("evenkeel.toml", &config("127.0.0.1:0", "127.251.0.2", port));
    server.signal("HUP");
    // The wait has begun when the node is being probed.
    let (_probe, _) = _node.accept().expect("a probe of the new node");
    server.write("evenkeel.toml", &quick("127.0.0.1:0").replace("192.0.2.1", "192.0.2.2"));
    server.signal("HUP");
    server.wait_for_log("reload: interrupted by another SIGHUP");
    server.wait_for_log("generation 2: ");
    assert_eq!(server.client().ask("core.lb.example", 1).answers.len(), 1);

    server.write("evenkeel.toml", &config("127.0.0.1:0", "127.251.0.2", port));
    server.signal("HUP");
    let (_probe, _) = _node.accept().expect("a probe of the new node");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_client_that_takes_no_answers_holds_up_neither_reload_nor_end() {
    let mut server = Server::start(&quick("127.0.0.1:0").replace("[server]", "[server]\ntcp_idle_timeout = \"10m\""));
    let _stalled = stalled(server.address(), "core.lb.example");
    let next = free_address();
    server.reload(&quick(&next.to_string()));
    assert_eq!(server.address(), next);
    assert_eq!(server.client().ask("core.lb.example", 1).answers.len(), 1);
    let began = std::time::Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    let address: SocketAddr = free_address();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device that is always full");
    let files = [("evenkeel.toml", quick(&address.to_string())), ("lb.zone", ZONE.to_owned())];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let mut server = Server::launch_logging_to(Stdio::from(full), &files);
    let client = Client::new(address);
    wait_until("the server answers", || client.exchange(&query(1, 0, "core.lb.example", 1)).is_some());
    for _ in 0..5 {
        server.signal("HUP");
    }
    assert_eq!(client.ask("core.lb.example", 1).answers.len(), 1);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_reload_that_waits_for_probes_answers_at_its_new_addresses_meanwhile() {
    let (node, port) = silent_node(3);
    let address = free_address();
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())).to_string();
    let mut server = Server::start(&quick(&any));
    server.write("evenkeel.toml", &config(&address.to_string(), "127.251.0.3", port));
    server.signal("HUP");
    let (_probe, _) = node.accept().expect("a probe of the new node");
    // The address is more special than the wildcard: from now on the system gives it all packets.
    for id in 0..20 {
        let client = Client::new(address);
        assert!(client.exchange(&query(id, 0, "core.lb.example", 1)).is_some(), "silence over UDP while probing");
        assert_eq!(over_tcp(address, &[query(id, 0, "core.lb.example", 1)]).len(), 1);
    }
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}
