//! The recipes of `examples/`, run against nodes: each reaches one node with all of a session.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::client::{eicar, serve};
use crate::support::nodes::Nodes;
use crate::support::program::required;
use crate::support::server::Server;

/// Nodes, a server, a clean file and an infected one.
struct Bench {
    nodes: Nodes,
    server: Server,
    clean: PathBuf,
    infected: PathBuf,
}

impl Bench {
    fn start() -> Self {
        let nodes = Nodes::start(3);
        let server = serve(&nodes);
        let (clean, infected) = (server.directory().join("clean.txt"), server.directory().join("infected.com"));
        std::fs::write(&clean, "harmless").expect("a file for the test");
        std::fs::write(&infected, eicar()).expect("a file for the test");
        Self { nodes, server, clean, infected }
    }

    fn url(&self) -> String {
        format!("http://core.lb.example:{}", self.nodes.port)
    }

    fn name_server(&self) -> String {
        self.server.address().to_string()
    }

    /// Sessions that began, and requests that reached another node than the one of their session.
    fn sessions(&self) -> (u64, u64) {
        (self.nodes.counters().iter().map(|counters| counters.sessions).sum(), self.nodes.wrong())
    }
}

/// Exit code and what is printed, with what went wrong.
fn run(command: &mut Command) -> (Option<i32>, String) {
    let output = command.env("NO_PROXY", "*").output().expect("the program starts");
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn example(name: &str) -> Command {
    // Beside the test program, where cargo builds them for its tests.
    let tests = std::env::current_exe().expect("this program has a path");
    let target = tests.parent().and_then(Path::parent).expect("target/debug/deps");
    Command::new(target.join("examples").join(name))
}

fn recipe(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/recipes").join(name)
}

#[test]
fn the_library_scans_files_and_batches_and_hands_sessions_over() {
    let bench = Bench::start();
    let at = [bench.url(), bench.name_server()];
    let (code, text) = run(example("scan_file").args(&at).arg(&bench.clean));
    assert!(code == Some(0) && text.contains("\nallowed: No Threat Detected"), "{text}");
    let (code, text) = run(example("scan_file").args(&at).arg(&bench.infected));
    assert!(code == Some(0) && text.contains("\nblocked: Infected"), "{text}");
    let (code, text) = run(example("scan_batch").args(&at).args([&bench.clean, &bench.infected]));
    assert!(code == Some(0) && text.contains("clean.txt: result 0\ninfected.com: result 1\n"), "{text}");
    let (_, ticket) = run(example("take_up").args(&at).arg("send").arg(&bench.clean));
    let (code, text) = run(example("take_up").args(&at).args(["wait", ticket.trim()]));
    assert!(code == Some(0) && text == "Allowed\n", "{ticket}{text}");
    assert_eq!(bench.sessions(), (4, 0));
}

#[test]
fn curl_scans_a_file_at_one_node() {
    let bench = Bench::start();
    for program in [("curl", "curl"), ("dig", "bind9-dnsutils")] {
        required(program.0, program.1);
    }
    let (address, port) = (bench.server.address().ip().to_string(), bench.server.address().port().to_string());
    let scan = |file: &Path| {
        let mut command = Command::new(recipe("scan.sh"));
        run(command.args(["core.lb.example", &bench.nodes.port.to_string()]).arg(file).args([&address, &port]))
    };
    let (code, text) = scan(&bench.clean);
    assert!(code == Some(0) && text.ends_with("\nallowed\n"), "{text}");
    let (code, text) = scan(&bench.infected);
    assert!(code == Some(2) && text.ends_with("\nblocked\n"), "{text}");
    assert_eq!(bench.sessions(), (2, 0));
}

#[test]
fn python_requests_scans_a_file_at_one_node() {
    let bench = Bench::start();
    // The one that Debian's packages are for.
    let python = "/usr/bin/python3";
    let found = Command::new(python).args(["-c", "import requests"]).output().expect("python3 is installed");
    assert!(found.status.success(), "requests is missing: install the package python3-requests");
    let node = bench.nodes.address(1).to_string();
    let scan =
        |file: &Path| run(Command::new(python).arg(recipe("scan_requests.py")).arg(bench.url()).arg(file).arg(&node));
    let (code, text) = scan(&bench.clean);
    assert!(code == Some(0) && text == format!("sent to {node}\nallowed\n"), "{text}");
    assert_eq!(scan(&bench.infected).0, Some(2));
    assert_eq!((bench.nodes.counters()[1].sessions, bench.sessions()), (2, (2, 0)));
}
