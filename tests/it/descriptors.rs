//! The limit of open files: clients that hold connections take no descriptors from probes, commands,
//! reloads and new clients.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::support::commands::{config_with_nodes, run, status};
use crate::support::nodes::Nodes;
use crate::support::packet::{ipv4_addresses, over_tcp, query};
use crate::support::program::{Process, required};
use crate::support::server::{Server, ZONE};
use crate::support::wait_until;

/// Open files of the server.
const LIMIT: usize = 320;

/// Opens connections, half of which have had a response and half of which never finish a query.
/// Prints how many, and holds them until its standard input ends. A connection that the server
/// closes is not opened again.
const HOLD_CONNECTIONS: &str = r#"
import resource, socket, struct, sys
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
count = min(3000, hard - 100)
packet = struct.pack("!6H", 1, 0, 1, 0, 0, 0) + b"\4core\2lb\7example\0\0\1\0\1"
packet = struct.pack("!H", len(packet)) + packet
held = []
for number in range(count):
    client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    client.sendall(packet if number % 2 else packet[:9])
    if number % 2:
        client.recv(512)
    held.append(client)
print(count, flush=True)
sys.stdin.read()
"#;

/// The last octets of the addresses of the shared name.
fn answered(server: &Server) -> Vec<u8> {
    let message = server.client().ask("core.lb.example", 1);
    let mut nodes: Vec<u8> = ipv4_addresses(&message).iter().map(|address| address.octets()[3]).collect();
    nodes.sort_unstable();
    nodes
}

fn open_files(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.id())).expect("the server runs").count()
}

#[test]
fn clients_with_thousands_of_connections_take_no_descriptors_from_others() {
    let nodes = Nodes::start(3);
    let monitor = format!(
        "[monitors.ready]\nkind = \"http\"\nport = {}\npath = \"/readyz\"\ninterval = \"1s\"\ntimeout = \"1s\"\n",
        nodes.port
    );
    let text = config_with_nodes(0)
        .replace("[server]\n", "[server]\ntcp_connections = 5000\ntcp_idle_timeout = \"10m\"\n")
        .replace("nodes = [\n", &format!("nodes = [\n{}", nodes.as_config()))
        .replace("[pools.core]\n", "[pools.core]\nhost = \"core\"\nmonitors = [\"ready\"]\n")
        + &monitor;
    let mut server = Server::start_with_open_files(LIMIT, &[("evenkeel.toml", &text), ("lb.zone", ZONE)]);
    server.wait_for_log(&format!("the limit of open files is {LIMIT}"));
    let mut holder = Command::new(required("python3", "python3"));
    holder.args(["-c", HOLD_CONNECTIONS, &server.address().port().to_string()]);
    let mut holder = Process::start(holder.stdin(Stdio::piped()).stdout(Stdio::piped()));
    let mut held = String::new();
    let output = holder.child.stdout.take().expect("standard output is a pipe");
    BufReader::new(output).read_line(&mut held).expect("the program prints text");
    assert!(held.trim().parse::<usize>().is_ok_and(|held| held > LIMIT), "{held}");

    assert_eq!(answered(&server), [1, 2, 3]);
    nodes.set_faults(1, r#"{"readyz": 503}"#);
    wait_until("the node that is not ready is not answered", || answered(&server) == [1, 3]);
    assert_eq!(status(&server)["pools"][0]["nodes"][1]["eligible"], false);
    run(&server, "drain core/core-1");
    server.reload(&(text + "[names.\"other.lb.example\"]\npool = \"core\"\n"));
    assert_eq!(over_tcp(server.address(), &[query(1, 0, "other.lb.example", 1)]).len(), 1);
    assert_eq!(answered(&server), [3]);
    assert!(open_files(&server) < LIMIT, "{} are open", open_files(&server));
    assert!(!server.log_has("cannot accept"), "{}", server.log());
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}
