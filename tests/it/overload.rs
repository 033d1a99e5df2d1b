//! Overload: during a flood of UDP queries, probes, TCP, commands and signals still work.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::commands::{config_with_nodes, run, status};
use crate::support::nodes::Nodes;
use crate::support::packet::{ipv4_addresses, over_tcp, query};
use crate::support::program::{Process, bench_tool};
use crate::support::server::Server;
use crate::support::wait_until;

/// Number of processes that flood the server.
const FLOODS: usize = 2;

/// Starts a process that sends queries as fast as it can, for longer than the test takes. It does
/// not wait for responses.
fn start_flood(program: &Path, server: SocketAddr) -> Process {
    let (rate, seconds) = ("1e9", "600");
    let mut command = Command::new(program);
    command.args([&server.to_string(), "core.lb.example", rate, seconds]);
    Process::start(command.stdout(Stdio::null()))
}

/// Number of packets that the kernel dropped because the socket buffers of the server were full.
fn dropped_packets(server: SocketAddr) -> u64 {
    let sockets = std::fs::read_to_string("/proc/net/udp").expect("the kernel lists sockets");
    let port = format!(":{:04X} 00000000:0000", server.port());
    let of_server = sockets.lines().filter(|line| line.contains(&port));
    of_server.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum()
}

/// The last octets of the addresses in a response over TCP, sorted.
fn answered(server: &Server, name: &str) -> Vec<u8> {
    let response = over_tcp(server.address(), &[query(1, 0, name, 1)]).remove(0);
    let message = hickory_proto::op::Message::from_vec(&response).expect("hickory decodes the response");
    let mut nodes: Vec<u8> = ipv4_addresses(&message).iter().map(|address| address.octets()[3]).collect();
    nodes.sort_unstable();
    nodes
}

#[test]
fn probes_tcp_commands_and_signals_work_during_a_flood() {
    let flood = bench_tool("flood");
    let nodes = Nodes::start(3);
    let text = config_with_nodes(0)
        .replace("[pools.core]\nnodes = [\n", "[pools.core]\nhost = \"core\"\nmonitors = [\"ready\"]\nnodes = [\n");
    let text = text.replace("nodes = [\n", &format!("nodes = [\n{}", nodes.as_config()))
        + &format!(
            "[monitors.ready]\nkind = \"http\"\nport = {}\npath = \"/readyz\"\ninterval = \"1s\"\ntimeout = \"1s\"\n",
            nodes.port
        );
    let mut server = Server::start(&text);
    let address = server.address();
    let floods: Vec<_> = (0..FLOODS).map(|_| start_flood(&flood, address)).collect();
    wait_until("the kernel drops queries", || dropped_packets(address) > 10_000);
    assert_eq!(answered(&server, "core.lb.example"), [1, 2, 3]);
    nodes.set_faults(1, r#"{"readyz": 503}"#);
    wait_until("the node that is not ready is not answered", || answered(&server, "core.lb.example") == [1, 3]);
    nodes.set_faults(1, r#"{"readyz": 200}"#);
    wait_until("the node is answered again", || answered(&server, "core.lb.example") == [1, 2, 3]);
    run(&server, "drain core/core-1");
    assert_eq!(answered(&server, "core.lb.example"), [2, 3]);
    server.reload(&(text + "[names.\"other.lb.example\"]\npool = \"core\"\n"));
    assert_eq!(answered(&server, "other.lb.example"), [2, 3]);
    let udp = |server: &Server| {
        status(server)["responses"]["udp"]["rcodes"]["NOERROR"].as_u64().expect("the member is a number")
    };
    let before = udp(&server);
    wait_until("1000 more queries of the flood are answered", || udp(&server) > before + 1000);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    drop(floods);
    let log = server.log();
    let down: Vec<_> = log.lines().filter(|line| line.contains(" is down: ")).collect();
    assert!(down.len() == 1 && down[0].contains("core/core-2"), "only core-2 was not ready: {down:?}");
}
