//! What agents say, as HAProxy's own agent-check understands it: the same, but for what `docs/health-checks.md` lists.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::support::operator::status;
use crate::support::program::{Running, required};
use crate::support::server::{Server, ZONE};
use crate::support::{answer_connections, free_address, wait_until};

/// Ends whatever HAProxy remembers of what was said before.
const FRESH: &str = "ready up 100%";

/// Lines that both understand alike, said to who knows of nothing before.
const ALIKE: [(&str, &str); 19] = [
    ("up", "up"),
    ("ready", "up"),
    ("ready up", "up"),
    ("UP", "up"),
    ("100%", "up"),
    ("75%", "up, 75 %"),
    ("up 50%", "up, 50 %"),
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

/// An agent of one asker.
struct Agent {
    port: u16,
    /// What it says, and how often it has.
    says: Arc<Mutex<(String, u64)>>,
}

impl Agent {
    fn start() -> Self {
        let says = Arc::new(Mutex::new((format!("{FRESH}\n"), 0)));
        let shared = Arc::clone(&says);
        let port = answer_connections(move |mut stream| {
            let mut said = shared.lock().expect("no holder panics");
            let _ = stream.write_all(said.0.as_bytes());
            said.1 += 1;
        });
        Self { port, says }
    }

    fn say(&self, line: &str) {
        *self.says.lock().expect("no holder panics") = (format!("{line}\n"), 0);
    }

    /// Whoever asks again has understood the answer before.
    fn is_understood(&self) -> bool {
        self.says.lock().expect("no holder panics").1 >= 2
    }
}

/// What somebody makes of a node that is up.
fn up(percent: &str) -> String {
    if percent == "100" { "up".to_owned() } else { format!("up, {percent} %") }
}

/// HAProxy with one server whose state the agent sets.
struct Haproxy {
    socket: PathBuf,
    _process: Running,
    _directory: TempDir,
}

impl Haproxy {
    fn start(agent: u16) -> Self {
        let program = required("haproxy", "haproxy");
        let directory = tempfile::tempdir().expect("a directory for HAProxy");
        let (socket, path) = (directory.path().join("stats"), directory.path().join("haproxy.cfg"));
        let text = format!(
            "global\n  stats socket {} level admin\ndefaults\n  mode tcp\n  timeout connect 1s\n  timeout client 1s\n\
             \x20 timeout server 1s\nfrontend f\n  bind {}\n  default_backend b\nbackend b\n\
             \x20 server a 127.0.0.1:{agent} weight 100 agent-check agent-port {agent} agent-inter 100ms\n",
            socket.display(),
            free_address()
        );
        std::fs::write(&path, text).expect("a configuration for HAProxy");
        let mut command = Command::new(program);
        command.arg("-db").arg("-f").arg(path).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Running::start_group(&mut command);
        wait_until("HAProxy listens", || UnixStream::connect(&socket).is_ok());
        Self { socket, _process: process, _directory: directory }
    }

    fn opinion(&self) -> String {
        let mut stream = UnixStream::connect(&self.socket).expect("HAProxy listens");
        stream.write_all(b"show servers state b\n").expect("HAProxy reads");
        let mut table = String::new();
        stream.read_to_string(&mut table).expect("HAProxy answers");
        let mut lines = table.lines().skip(1);
        let (names, values) = (lines.next().expect("names"), lines.next().expect("the server"));
        let column = |name: &str| {
            let names = names.trim_start_matches("# ").split(' ');
            let (_, value) = names.zip(values.split(' ')).find(|(n, _)| *n == name).expect("a column of HAProxy");
            value
        };
        // The administrative state is a set of bits: 1 is maintenance, 8 is drain. Operationally 0 is stopped, 2 runs.
        let admin: u8 = column("srv_admin_state").parse().expect("a number");
        match (admin, column("srv_op_state")) {
            (1, _) => "maint".to_owned(),
            (8, _) => "drain".to_owned(),
            (0, "0") => "down".to_owned(),
            (0, "2") => up(column("srv_uweight")),
            other => format!("{other:?}"),
        }
    }
}

fn opinion_of(server: &Server) -> String {
    let status = status(server);
    let address = &status["pools"][0]["nodes"][0]["addresses"][0];
    if address["health"] == "up" { up(&address["weight_percent"].to_string()) } else { "down".to_owned() }
}

/// Rows of the documentation: what was said before, what is said, what HAProxy and evenkeel make of it.
fn documented() -> Vec<[String; 4]> {
    let text = std::fs::read_to_string("docs/health-checks.md").expect("the reference");
    let (_, rest) =
        text.split_once("| before | then | HAProxy | evenkeel |").expect("the table of docs/health-checks.md");
    let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| -> [String; 4] {
        let cells: Vec<String> = line.split('|').skip(1).take(4).map(|c| c.trim().replace('`', "")).collect();
        cells.try_into().expect("four columns and a reason")
    };
    rows.map(cells).collect()
}

#[test]
fn agents_are_understood_as_haproxy_understands_them_but_for_what_is_listed() {
    let agents = [Agent::start(), Agent::start()];
    let haproxy = Haproxy::start(agents[0].port);
    let config = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nsocket = \"admin.sock\"\n[zones.\"lb.example\"]\nfile = \"lb.zone\"\n\
         [monitors.m]\nkind = \"agent\"\nport = {}\ninterval = \"100ms\"\ntimeout = \"100ms\"\nrise = 1\nfall = 1\n\
         [pools.core]\nmonitors = [\"m\"]\nwhen_empty = \"nodata\"\nnodes = [{{ name = \"a\", address = \"127.0.0.1\" }}]\n\
         [names.\"core.lb.example\"]\npool = \"core\"\n",
        agents[1].port
    );
    let server = Server::start_with(&[("evenkeel.toml", &config), ("lb.zone", ZONE)]);
    let say = |line: &str| {
        agents.iter().for_each(|agent| agent.say(line));
        wait_until(&format!("both have understood {line:?}"), || agents.iter().all(Agent::is_understood));
    };
    let opinions = || [haproxy.opinion(), opinion_of(&server)];
    // A probe may be too slow once on a busy machine; what is understood holds in the end.
    let find = |said: &str, expected: [&str; 2]| {
        let first = opinions();
        wait_until(&format!("HAProxy and evenkeel find {expected:?} of {said}, not {first:?}"), || {
            opinions() == expected
        });
    };
    for (line, theirs) in ALIKE {
        say(FRESH);
        say(line);
        // Here, who gets no sessions is down.
        let ours = if theirs == "up, 0 %" || !theirs.starts_with("up") { "down" } else { theirs };
        find(line, [theirs, ours]);
    }
    let differences = documented();
    assert!(differences.len() > 5, "{differences:?}");
    for [before, then, theirs, ours] in differences {
        say(FRESH);
        say(&before);
        say(if then == "nothing" { "" } else { &then });
        find(&format!("{before}, then {then}"), [&theirs, &ours]);
    }
    server.wait_for_log("core/a (127.0.0.1) is down: 1 of 1 probes of m failed, agent says down: disk full");
}
