//! The hot backups of Core nodes in the order of the vendor, by commands of evenkeel, with the
//! monitors and actions of `config/full.toml`. The nodes refuse what nodes of the vendor refuse.
//!
//! The test plays the license server, which deactivates nodes.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::commands::{answered, refusal, run};
use crate::support::core_program::CoreProgram;
use crate::support::nodes::free_network;
use crate::support::program::{Process, required};
use crate::support::repository;
use crate::support::server::{Server, ZONE, write_private};
use crate::support::{serve_connections, wait_until};

/// The headers of an administrator.
const HEADERS: &str = "apikey: k\n";

/// The sections of `config/full.toml` that are about hot backups.
const SECTIONS: [&str; 6] = [
    "monitors.core-active]",
    "monitors.core-standby]",
    "actions.core-nominate]",
    "actions.core-demote]",
    "actions.core-deactivate]",
    "actions.core-register]",
];

/// How often monitors probe, and how many probes decide.
const TIMES: &str = "interval = \"200ms\"\ntimeout = \"200ms\"\nrise = 1\nfall = 3\n";

/// Index of the node that is a backup by configuration.
const SPARE: usize = 2;

/// Sends a request to a node with curl; returns the status and the body of the response.
fn curl(node: SocketAddr, method: &str, path: &str, arguments: &[&str]) -> (u16, String) {
    let mut curl = Command::new(required("curl", "curl"));
    curl.args(["--silent", "--noproxy", "*", "--write-out", "\n%{http_code}", "--request", method]);
    let output = curl.args(arguments).arg(format!("http://{node}{path}")).output().expect("curl starts");
    let text = String::from_utf8(output.stdout).expect("the body is text");
    let (body, status) = text.rsplit_once('\n').expect("curl prints the status on a line of its own");
    (status.parse().expect("the status is a number"), body.to_owned())
}

/// Does to a node what the license server of the vendor does to a former active node.
fn deactivate(core: CoreProgram, node: SocketAddr) {
    let body = core.deactivation().to_string();
    assert_eq!(curl(node, "PUT", core.control_path(), &["--data", &body]).0, 200);
}

/// A node of either kind at an address.
struct Node {
    core: CoreProgram,
    address: SocketAddr,
    process: Option<Process>,
}

impl Node {
    fn start(core: CoreProgram, address: SocketAddr) -> Self {
        let mut node = Self { core, address, process: None };
        node.restart();
        node
    }

    fn restart(&mut self) {
        let command_line = self.core.command_line(&self.address.to_string());
        let mut command = Command::new(&command_line[0]);
        self.process = Some(Process::start(command.args(&command_line[1..]).stdout(Stdio::null())));
        wait_until("the node listens", || TcpStream::connect(self.address).is_ok());
    }

    fn stop(&mut self) {
        self.process = None;
    }

    /// Sends a request as an administrator; returns the status of the response.
    fn request(&self, method: &str, path: &str, arguments: &[&str]) -> u16 {
        curl(self.address, method, path, &[&["--header", "apikey: k"], arguments].concat()).0
    }

    /// Its deployment ID, as `GET /admin/license` shows it.
    fn deployment(&self) -> String {
        let license: Value =
            serde_json::from_str(&curl(self.address, "GET", "/admin/license", &["--header", "apikey: k"]).1)
                .expect("the node responds with JSON");
        license["deployment"].as_str().expect("the deployment ID is text").to_owned()
    }

    /// Activates it again with the key of the vendor; returns the status of the response.
    fn activate(&self) -> u16 {
        self.request("POST", "/admin/license/activation", &["--data", r#"{"activationKey": "key", "quantity": 1}"#])
    }

    /// Registers it as a hot backup, as an operator does; returns the status of the response.
    fn register(&self) -> u16 {
        let headers = ["--header", "activation-key: key", "--header", "active-deployment-id: other"];
        self.request("POST", "/admin/license/backup", &headers)
    }

    /// Sends a file; returns true if the node takes it.
    fn takes_scans(&self) -> bool {
        self.request("POST", "/file", &["--data-binary", "harmless"]) == 200
    }
}

/// Three nodes of a kind: two active ones, and a spare.
fn start_nodes(core: CoreProgram) -> [Node; 3] {
    let (network, port) = free_network(3);
    [1, 2, 3].map(|node| Node::start(core, SocketAddr::from(([127, network, 0, node], port))))
}

/// Deactivates nodes when the recipe asks for it, by their deployment IDs.
struct LicenseServer {
    url: String,
    _directory: TempDir,
}

impl LicenseServer {
    /// Serves in the background, for these nodes.
    fn start(nodes: &[Node; 3]) -> (Self, String) {
        let deployments: Vec<_> = nodes.iter().map(|node| (node.deployment(), node.address, node.core)).collect();
        let port = serve_connections(move |stream| {
            let mut reader = BufReader::new(stream);
            let mut line = String::new();
            let _ = reader.read_line(&mut line);
            let node = deployments.iter().find(|(id, ..)| line.contains(&format!("deployment={id}")));
            let body = match node {
                Some((_, address, core)) => {
                    deactivate(*core, *address);
                    ""
                }
                None => "error: 'unknown deployment'",
            };
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = reader.get_mut().write_all(format!("{head}{body}").as_bytes());
        });
        let directory = tempfile::tempdir().expect("the test can create a directory");
        for (file, text) in [("activation.key", "key\n"), ("core.headers", HEADERS)] {
            write_private(&directory.path().join(file), text);
        }
        let path = directory.path().display().to_string();
        (Self { url: format!("http://127.0.0.1:{port}"), _directory: directory }, path)
    }
}

/// A server with the monitors and actions for Core nodes of `config/full.toml`, with short
/// intervals.
fn start_server(nodes: &[Node; 3], licenses: &LicenseServer, keys: &str) -> Server {
    let shipped = std::fs::read_to_string(repository::root().join("config/full.toml")).expect("the file can be read");
    let sections: Vec<_> =
        shipped.split("\n[").filter(|section| SECTIONS.iter().any(|name| section.starts_with(name))).collect();
    assert_eq!(sections.len(), SECTIONS.len(), "{sections:?}");
    let port = nodes[0].address.port();
    let script = repository::root().join("examples/recipes/deactivate_core.sh");
    let environment =
        format!("environment = {{ LICENSE_SERVER = \"{}\", CORE_PORT = \"{port}\", no_proxy = \"*\",", licenses.url);
    let sections = format!("[{}", sections.join("\n["))
        .replace("port = 8008", &format!("port = {port}"))
        .replace("json = [", &format!("{TIMES}json = ["))
        .replace("/usr/local/share/evenkeel/deactivate_core.sh", script.to_str().expect("the path is text"))
        .replace("environment = {", &environment)
        .replace("/etc/evenkeel", keys);
    let [one, two, spare] = [0, 1, 2].map(|node| nodes[node].address.ip());
    let config = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nstate_dir = \"state\"\n[admin]\nsocket = \"admin.sock\"\n\
         [zones.\"lb.example\"]\nfile = \"lb.zone\"\n{sections}\n\
         [monitors.core-ready]\nkind = \"http\"\nport = {port}\npath = \"/readyz\"\n{TIMES}\
         [pools.core]\nmonitors = [\"core-ready\", \"core-active\"]\nstandby_monitors = [\"core-standby\"]\n\
         nominate_action = \"core-nominate\"\ndemote_action = \"core-demote\"\n\
         nodes = [{{ name = \"core-1\", address = \"{one}\" }}, {{ name = \"core-2\", address = \"{two}\" }}, \
         {{ name = \"spare\", address = \"{spare}\", role = \"backup\" }}]\n\
         [names.\"core.lb.example\"]\npool = \"core\"\nttl = \"1s\"\n"
    );
    let register = format!("{HEADERS}activation-key: key\nactive-deployment-id: other\n");
    let files =
        [("evenkeel.toml", &*config), ("lb.zone", ZONE), ("core.headers", HEADERS), ("register.headers", &register)];
    Server::start_with(&files)
}

#[test]
fn hot_backups_follow_the_order_of_the_vendor() {
    CoreProgram::ALL.into_iter().for_each(follow_the_order_of_the_vendor);
}

/// From the registration of a backup through a nomination and both ways back.
fn follow_the_order_of_the_vendor(core: CoreProgram) {
    let mut nodes = start_nodes(core);
    let (licenses, keys) = LicenseServer::start(&nodes);
    // An instance that runs as active cannot be registered as a backup.
    assert_eq!(nodes[SPARE].register(), 400, "{core:?}");
    deactivate(core, nodes[SPARE].address);
    assert!(!nodes[SPARE].takes_scans(), "an unlicensed {core:?} takes scans");
    assert_eq!(nodes[SPARE].register(), 200, "{core:?}");
    let server = start_server(&nodes, &licenses, &keys);
    wait_until("the active nodes are answered", || answered(&server) == BTreeSet::from([1, 2]));
    let status_line = |node: &str| {
        let text = run(&server, "status");
        text.lines().find(|line| line.trim_start().starts_with(node)).expect("the status lists the node").to_owned()
    };
    wait_until("the backup waits", || status_line("spare").contains("standby health up, not serving"));

    // A nomination activates the backup. The vendor deactivates the node that was replaced.
    nodes[1].stop();
    wait_until("the dead node is not answered", || answered(&server) == BTreeSet::from([1]));
    run(&server, "nominate core/spare --replace core-2");
    wait_until("the nominated backup is answered", || answered(&server) == BTreeSet::from([1, 3]));
    assert!(nodes[SPARE].takes_scans(), "a nominated {core:?} takes no scans");
    nodes[1].restart();
    deactivate(core, nodes[1].address);
    // The node is no backup yet, so it cannot be nominated.
    wait_until("the node is down", || status_line("core-2").contains("status 503"));
    let message = refusal(&server, "nominate core/core-2 --replace spare");
    assert!(message.contains("core/core-2") && message.contains("--force"), "{message}");
    assert_eq!(answered(&server), BTreeSet::from([1, 3]), "an unlicensed node is not answered");

    // The operator registers the node. Then the roles can change back.
    assert_eq!(nodes[1].register(), 200, "{core:?}");
    wait_until("the former active node waits", || status_line("core-2").contains("standby health up, not serving"));
    run(&server, "nominate core/core-2 --replace spare");
    deactivate(core, nodes[SPARE].address);
    wait_until("the roles are those of the configuration", || answered(&server) == BTreeSet::from([1, 2]));
    assert_eq!(nodes[SPARE].register(), 200, "{core:?}");
    wait_until("the backup waits again", || status_line("spare").contains("standby health up, not serving"));

    // The other way back: `demote` deactivates the backup and registers it.
    run(&server, "nominate core/spare --replace core-2");
    deactivate(core, nodes[1].address);
    wait_until("the nominated backup is answered", || answered(&server) == BTreeSet::from([1, 3]));
    assert_eq!(nodes[1].activate(), 200, "{core:?}");
    run(&server, "demote core/spare --force");
    wait_until("the former active node is answered", || answered(&server) == BTreeSet::from([1, 2]));
    wait_until("the backup waits again", || status_line("spare").contains("standby health up, not serving"));
    assert!(!nodes[SPARE].takes_scans() && nodes[1].takes_scans(), "{core:?}");
}
