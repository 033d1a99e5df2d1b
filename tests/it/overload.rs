//! More questions than can be answered: what else the server does goes on.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::counts::status;
use crate::operators::{config, done, start};
use crate::shared_name::v4;
use crate::support::nodes::Nodes;
use crate::support::packet::{over_tcp, query};
use crate::support::server::Server;
use crate::support::wait_until;

/// Sockets that ask without waiting, each on a thread.
const ATTACKERS: usize = 3;

/// Asks until it is over, whether it is answered or not.
fn attack(server: SocketAddr, is_over: &AtomicBool) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a client socket");
    socket.connect(server).expect("a route to loopback");
    let question = query(1, 0, "core.lb.example", 1);
    while !is_over.load(Ordering::Relaxed) {
        let _ = socket.send(&question);
    }
}

/// Packets for the server that the system has thrown away, since its sockets were full.
fn lost(server: SocketAddr) -> u64 {
    let sockets = std::fs::read_to_string("/proc/net/udp").expect("a list of sockets");
    let port = format!(":{:04X} 00000000:0000", server.port());
    let of_server = sockets.lines().filter(|line| line.contains(&port));
    of_server.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum()
}

/// Last octets of the addresses that are answered over TCP.
fn answered(server: &Server, name: &str) -> Vec<u8> {
    let answer = over_tcp(server.address(), &[query(1, 0, name, 1)]).remove(0);
    let message = hickory_proto::op::Message::from_vec(&answer).expect("a response that can be decoded");
    let mut nodes: Vec<u8> = v4(&message).iter().map(|address| address.octets()[3]).collect();
    nodes.sort_unstable();
    nodes
}

/// Ends the attack also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn probes_tcp_operators_and_signals_go_on_under_a_flood() {
    let nodes = Nodes::start(3);
    let text = config(0)
        .replace("[pools.core]\nnodes = [\n", "[pools.core]\nhost = \"core\"\nmonitors = [\"ready\"]\nnodes = [\n");
    let text = text.replace("nodes = [\n", &format!("nodes = [\n{}", nodes.as_config()))
        + &format!(
            "[monitors.ready]\nkind = \"http\"\nport = {}\npath = \"/readyz\"\ninterval = \"500ms\"\ntimeout = \"500ms\"\n",
            nodes.port
        );
    let mut server = start(&text);
    let is_over = AtomicBool::new(false);
    let address = server.address();
    std::thread::scope(|scope| {
        let _over = Over(&is_over);
        for _ in 0..ATTACKERS {
            scope.spawn(|| attack(address, &is_over));
        }
        wait_until("the server is offered more than it takes", || lost(address) > 10_000);
        assert_eq!(answered(&server, "core.lb.example"), [1, 2, 3]);
        nodes.fake(1, r#"{"readyz": 503}"#);
        wait_until("a node that is not ready has left", || answered(&server, "core.lb.example") == [1, 3]);
        nodes.fake(1, r#"{"readyz": 200}"#);
        wait_until("it has returned", || answered(&server, "core.lb.example") == [1, 2, 3]);
        done(&server, "drain core/core-1");
        assert_eq!(answered(&server, "core.lb.example"), [2, 3]);
        server.reload(&(text.clone() + "[names.\"other.lb.example\"]\npool = \"core\"\n"));
        assert_eq!(answered(&server, "other.lb.example"), [2, 3]);
        let udp = |server: &Server| status(server)["answers"]["udp"]["rcodes"]["NOERROR"].as_u64().expect("a number");
        let before = udp(&server);
        wait_until("the flood is answered as far as it can be", || udp(&server) > before + 1000);
        server.signal("TERM");
        assert_eq!(server.wait().code(), Some(0));
    });
    let log = server.log();
    let down: Vec<_> = log.lines().filter(|line| line.contains(" is down: ")).collect();
    assert!(down.len() == 1 && down[0].contains("core/core-2"), "only what was not ready was found down: {down:?}");
}
