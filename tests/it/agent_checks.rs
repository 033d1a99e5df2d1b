//! Agent checks beside the `agent-check` of HAProxy: both understand an agent in the same way,
//! except for the differences that `docs/health-checks.md` lists.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::support::commands::status;
use crate::support::haproxy::Haproxy;
use crate::support::server::{Server, ZONE};
use crate::support::{free_address, serve_connections, wait_until};

/// A line that clears the state of HAProxy from earlier lines.
const RESET: &str = "ready up 100%";

/// Lines that both understand in the same way after a reset, and what HAProxy reports.
const SAME: [(&str, &str); 20] = [
    ("up", "up"),
    ("ready", "up"),
    ("ready up", "up"),
    ("UP", "up"),
    ("100%", "up"),
    ("75%", "up, 75 %"),
    ("up 50%", "up, 50 %"),
    ("25% 75%", "up, 75 %"),
    ("ready,up,50%", "up, 50 %"),
    ("maxconn:30", "up"),
    ("up maxconn:30", "up"),
    ("down", "down"),
    ("down # disk full", "down"),
    ("stopped", "down"),
    ("fail", "down"),
    ("up down", "down"),
    ("drain", "drain"),
    ("ready drain 50%", "drain"),
    ("maint", "maint"),
    ("0%", "up, 0 %"),
];

/// An agent that one load balancer asks.
struct Agent {
    port: u16,
    state: Arc<Mutex<AgentState>>,
}

struct AgentState {
    /// The line that the agent sends.
    line: String,
    /// How often the agent has sent it.
    sent: u64,
}

impl Agent {
    fn start() -> Self {
        let state = Arc::new(Mutex::new(AgentState { line: format!("{RESET}\n"), sent: 0 }));
        let shared = Arc::clone(&state);
        let port = serve_connections(move |mut stream| {
            let mut state = shared.lock().expect("no thread panics with the lock held");
            let _ = stream.write_all(state.line.as_bytes());
            state.sent += 1;
        });
        Self { port, state }
    }

    fn set_line(&self, line: &str) {
        let mut state = self.state.lock().expect("no thread panics with the lock held");
        *state = AgentState { line: format!("{line}\n"), sent: 0 };
    }

    /// Returns true once the line has been processed: the load balancer asks again only after that.
    fn is_processed(&self) -> bool {
        self.state.lock().expect("no thread panics with the lock held").sent >= 2
    }
}

/// The words of the documentation for a node that is up, with a share of its weight.
fn up(percent: &str) -> String {
    if percent == "100" { "up".to_owned() } else { format!("up, {percent} %") }
}

/// HAProxy with one server, whose state the agent sets.
struct Balancer {
    socket: PathBuf,
    _haproxy: Haproxy,
}

impl Balancer {
    fn start(agent: u16) -> Self {
        let mut socket = PathBuf::new();
        let haproxy = Haproxy::start(|directory| {
            socket = directory.join("stats");
            format!(
                "global\n  stats socket {} level admin\ndefaults\n  mode tcp\n  timeout connect 1s\n\
                 \x20 timeout client 1s\n  timeout server 1s\nfrontend f\n  bind {}\n  default_backend b\nbackend b\n\
                 \x20 server a 127.0.0.1:{agent} weight 100 agent-check agent-port {agent} agent-inter 100ms\n",
                socket.display(),
                free_address()
            )
        });
        wait_until("HAProxy listens", || UnixStream::connect(&socket).is_ok());
        Self { socket, _haproxy: haproxy }
    }

    /// The state of the server in HAProxy.
    fn state(&self) -> String {
        let mut stream = UnixStream::connect(&self.socket).expect("HAProxy listens");
        stream.write_all(b"show servers state b\n").expect("HAProxy reads commands");
        let mut table = String::new();
        stream.read_to_string(&mut table).expect("HAProxy responds");
        let mut lines = table.lines().skip(1);
        let (names, values) =
            (lines.next().expect("the table has names"), lines.next().expect("the table has the server"));
        let column = |name: &str| {
            let names = names.trim_start_matches("# ").split(' ');
            let (_, value) = names.zip(values.split(' ')).find(|(n, _)| *n == name).expect("HAProxy has the column");
            value
        };
        // The administrative state is a set of bits: 1 is maintenance, 8 is drain. The operational
        // state is 0 for a stopped server, and 2 for a running one.
        let admin: u8 = column("srv_admin_state").parse().expect("the member is a number");
        match (admin, column("srv_op_state")) {
            (1, _) => "maint".to_owned(),
            (8, _) => "drain".to_owned(),
            (0, "0") => "down".to_owned(),
            (0, "2") => up(column("srv_uweight")),
            other => format!("{other:?}"),
        }
    }
}

/// The state of the node in evenkeel.
fn state_in(server: &Server) -> String {
    let status = status(server);
    let address = &status["pools"][0]["nodes"][0]["addresses"][0];
    if address["health"] == "up" { up(&address["weight_percent"].to_string()) } else { "down".to_owned() }
}

/// Rows of the documentation: the first line, the second line, the states in HAProxy and evenkeel.
fn documented_differences() -> Vec<[String; 4]> {
    let text = std::fs::read_to_string("docs/health-checks.md").expect("the document can be read");
    let (_, rest) =
        text.split_once("| before | then | HAProxy | evenkeel |").expect("docs/health-checks.md has the table");
    let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| -> [String; 4] {
        let cells: Vec<String> = line.split('|').skip(1).take(4).map(|c| c.trim().replace('`', "")).collect();
        cells.try_into().expect("a row has four columns and a reason")
    };
    rows.map(cells).collect()
}

#[test]
fn agents_are_understood_as_haproxy_does_except_for_documented_differences() {
    let agents = [Agent::start(), Agent::start()];
    let haproxy = Balancer::start(agents[0].port);
    let config = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nsocket = \"admin.sock\"\n[zones.\"lb.example\"]\nfile = \"lb.zone\"\n\
         [monitors.m]\nkind = \"agent\"\nport = {}\ninterval = \"100ms\"\ntimeout = \"100ms\"\nrise = 1\nfall = 1\n\
         [pools.core]\nmonitors = [\"m\"]\nwhen_empty = \"nodata\"\nnodes = [{{ name = \"a\", address = \"127.0.0.1\" }}]\n\
         [names.\"core.lb.example\"]\npool = \"core\"\n",
        agents[1].port
    );
    let server = Server::start_with(&[("evenkeel.toml", &config), ("lb.zone", ZONE)]);
    let send = |line: &str| {
        agents.iter().for_each(|agent| agent.set_line(line));
        wait_until(&format!("both have processed {line:?}"), || agents.iter().all(Agent::is_processed));
    };
    let states = || [haproxy.state(), state_in(&server)];
    // A single probe can time out on a busy machine, so this waits for the final states.
    let expect = |lines: &str, expected: [&str; 2]| {
        let first = states();
        wait_until(&format!("states of HAProxy and evenkeel after {lines}: {expected:?}, first {first:?}"), || {
            states() == expected
        });
    };
    for (line, theirs) in SAME {
        send(RESET);
        send(line);
        // In evenkeel, a node without new sessions is down.
        let ours = if theirs == "up, 0 %" || !theirs.starts_with("up") { "down" } else { theirs };
        expect(line, [theirs, ours]);
    }
    let differences = documented_differences();
    assert!(differences.len() > 5, "{differences:?}");
    for [before, then, theirs, ours] in differences {
        send(RESET);
        send(&before);
        send(if then == "an empty line" { "" } else { &then });
        expect(&format!("{before}, then {then}"), [&theirs, &ours]);
    }
    server.wait_for_log("core/a (127.0.0.1) is down: 1 of 1 probe of m failed, agent says down: disk full");
}
