//! Overload: under more queries than the server can answer, everything else goes on.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::nodes::Nodes;
use crate::support::operator::{config, done, start, status};
use crate::support::packet::{over_tcp, query, v4};
use crate::support::program::{Running, bench_tool};
use crate::support::server::Server;
use crate::support::wait_until;

/// Number of programs that flood the server.
const ATTACKERS: usize = 2;

/// Starts a program that sends queries as fast as it can, for longer than the test takes. It does
/// not wait for responses.
fn attacker(flood: &Path, server: SocketAddr) -> Running {
    let (rate, seconds) = ("1e9", "600");
    let mut command = Command::new(flood);
    command.args([&server.to_string(), "core.lb.example", rate, seconds]);
    Running::start(command.stdout(Stdio::null()))
}

/// Number of packets for the server that the kernel dropped because the socket buffers were full.
fn lost(server: SocketAddr) -> u64 {
    let sockets = std::fs::read_to_string("/proc/net/udp").expect("a list of sockets");
    let port = format!(":{:04X} 00000000:0000", server.port());
    let of_server = sockets.lines().filter(|line| line.contains(&port));
    of_server.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum()
}

/// Last octets of the addresses in a response over TCP.
fn answered(server: &Server, name: &str) -> Vec<u8> {
    let answer = over_tcp(server.address(), &[query(1, 0, name, 1)]).remove(0);
    let message = hickory_proto::op::Message::from_vec(&answer).expect("a response that can be decoded");
    let mut nodes: Vec<u8> = v4(&message).iter().map(|address| address.octets()[3]).collect();
    nodes.sort_unstable();
    nodes
}

#[test]
fn probes_tcp_operators_and_signals_go_on_under_a_flood() {
    let flood = bench_tool("flood");
    let nodes = Nodes::start(3);
    let text = config(0)
        .replace("[pools.core]\nnodes = [\n", "[pools.core]\nhost = \"core\"\nmonitors = [\"ready\"]\nnodes = [\n");
    let text = text.replace("nodes = [\n", &format!("nodes = [\n{}", nodes.as_config()))
        + &format!(
            "[monitors.ready]\nkind = \"http\"\nport = {}\npath = \"/readyz\"\ninterval = \"1s\"\ntimeout = \"1s\"\n",
            nodes.port
        );
    let mut server = start(&text);
    let address = server.address();
    let attackers: Vec<_> = (0..ATTACKERS).map(|_| attacker(&flood, address)).collect();
    wait_until("the server is offered more than it takes", || lost(address) > 10_000);
    assert_eq!(answered(&server, "core.lb.example"), [1, 2, 3]);
    nodes.fake(1, r#"{"readyz": 503}"#);
    wait_until("a node that is not ready has left", || answered(&server, "core.lb.example") == [1, 3]);
    nodes.fake(1, r#"{"readyz": 200}"#);
    wait_until("it has returned", || answered(&server, "core.lb.example") == [1, 2, 3]);
    done(&server, "drain core/core-1");
    assert_eq!(answered(&server, "core.lb.example"), [2, 3]);
    server.reload(&(text + "[names.\"other.lb.example\"]\npool = \"core\"\n"));
    assert_eq!(answered(&server, "other.lb.example"), [2, 3]);
    let udp = |server: &Server| status(server)["answers"]["udp"]["rcodes"]["NOERROR"].as_u64().expect("a number");
    let before = udp(&server);
    wait_until("the flood is answered as far as it can be", || udp(&server) > before + 1000);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    drop(attackers);
    let log = server.log();
    let down: Vec<_> = log.lines().filter(|line| line.contains(" is down: ")).collect();
    assert!(down.len() == 1 && down[0].contains("core/core-2"), "only what was not ready was found down: {down:?}");
}
