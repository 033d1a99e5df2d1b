//! Signals during start and reload, and a log that cannot be written.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use crate::support::commands::status;
use crate::support::nodes::silent_node;
use crate::support::packet::{UdpClient, over_tcp, query, stalled_client};
use crate::support::server::{Server, ZONE};
use crate::support::{free_address, wait_until};

/// Longest time for a stop. The idle timeout of the TCP client is far longer.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// A configuration with one node. The server waits for its first probe for longer than a test runs.
fn waiting_config(listen: &str, node: SocketAddr) -> String {
    let (address, port) = (node.ip(), node.port());
    format!(
        "[server]\nlisten = [\"{listen}\"]\nstartup_grace = \"60s\"\n[zones.\"lb.example\"]\nfile = \"lb.zone\"\n\
         [monitors.ready]\nkind = \"http\"\nport = {port}\ninterval = \"1m\"\ntimeout = \"1m\"\n[pools.core]\n\
         monitors = [\"ready\"]\nnodes = [{{ name = \"a\", address = \"{address}\" }}]\n[names.\"core.lb.example\"]\npool = \"core\"\n"
    )
}

/// The same configuration without monitors, so the server does not wait.
fn quick_config(listen: &str) -> String {
    waiting_config(listen, SocketAddr::from(([192, 0, 2, 1], 1))).replace("monitors = [\"ready\"]\n", "")
}

#[test]
fn a_start_that_waits_for_probes_handles_signals() {
    let (_listener, node) = silent_node(0);
    let mut server = Server::launch(&[("evenkeel.toml", &waiting_config("127.0.0.1:0", node)), ("lb.zone", ZONE)]);
    server.wait_for_log("starting: 1 zone, 1 name, 1 pool, 1 node");
    server.signal("HUP");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    server.wait_for_log("SIGTERM: stopped before the start was over");
}

#[test]
fn a_reload_that_waits_for_probes_ends_at_the_next_reload_and_at_sigterm() {
    let (listener, node) = silent_node(0);
    let mut server = Server::start(&quick_config("127.0.0.1:0"));
    server.write("evenkeel.toml", &waiting_config("127.0.0.1:0", node));
    server.signal("HUP");
    // The reload waits once it probes the node.
    let (_probe, _) = listener.accept().expect("the server probes the new node");
    server.write("evenkeel.toml", &quick_config("127.0.0.1:0").replace("192.0.2.1", "192.0.2.2"));
    server.signal("HUP");
    server.wait_for_log("reload: interrupted by another SIGHUP");
    server.wait_for_log("generation 2: ");
    assert_eq!(server.client().ask("core.lb.example", 1).answers.len(), 1);

    server.write("evenkeel.toml", &waiting_config("127.0.0.1:0", node));
    server.signal("HUP");
    let (_probe, _) = listener.accept().expect("the server probes the new node");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_client_that_reads_no_responses_delays_neither_reload_nor_stop() {
    let mut server =
        Server::start(&quick_config("127.0.0.1:0").replace("[server]", "[server]\ntcp_idle_timeout = \"10m\""));
    let _stalled = stalled_client(server.address(), "core.lb.example");
    let next = free_address();
    server.reload(&quick_config(&next.to_string()));
    assert_eq!(server.address(), next);
    assert_eq!(server.client().ask("core.lb.example", 1).answers.len(), 1);
    let began = std::time::Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert!(began.elapsed() < STOP_LIMIT, "{:?}", began.elapsed());
}

#[test]
fn a_log_that_cannot_be_written_does_not_stop_the_server() {
    let address: SocketAddr = free_address();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("the system has /dev/full");
    let config = quick_config(&address.to_string()) + "[admin]\nsocket = \"admin.sock\"\n";
    let mut server = Server::launch_logging_to(Stdio::from(full), &[("evenkeel.toml", &config), ("lb.zone", ZONE)]);
    let client = UdpClient::new(address);
    wait_until("the server responds", || client.exchange(&query(1, 0, "core.lb.example", 1)).is_some());
    // Each reload writes lines to the log, too.
    for generation in 2..=5 {
        server.signal("HUP");
        wait_until("the configuration is reloaded", || status(&server)["generation"] == generation);
    }
    assert_eq!(client.ask("core.lb.example", 1).answers.len(), 1);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_reload_that_waits_for_probes_already_answers_at_its_new_addresses() {
    let (listener, node) = silent_node(0);
    let address = free_address();
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())).to_string();
    let mut server = Server::start(&quick_config(&any));
    server.write("evenkeel.toml", &waiting_config(&address.to_string(), node));
    server.signal("HUP");
    let (_probe, _) = listener.accept().expect("the server probes the new node");
    // The address is more specific than the wildcard, so the kernel delivers all packets to it.
    for id in 0..20 {
        let client = UdpClient::new(address);
        assert!(
            client.exchange(&query(id, 0, "core.lb.example", 1)).is_some(),
            "no response over UDP during the reload"
        );
        assert_eq!(over_tcp(address, &[query(id, 0, "core.lb.example", 1)]).len(), 1);
    }
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}
