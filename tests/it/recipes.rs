//! The recipes in `examples/recipes` and the examples of the client library, as users run them.
//!
//! The system resolver asks evenkeel for the shared name. Three nodes run behind nginx, which
//! refuses requests for other names in Host and SNI. The nodes are fake Core nodes, and then
//! independent doubles.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::certificates::Authority;
use crate::support::core_program::CoreProgram;
use crate::support::fake_core_process::eicar;
use crate::support::namespace::Namespace;
use crate::support::program::{Process, assert_listed, example, required};
use crate::support::server::{PROGRAM, Server, ZONE, write_private};
use crate::support::{nginx, wait_until};

/// Addresses of the nodes.
const NODES: [&str; 3] = ["127.0.0.11", "127.0.0.12", "127.0.0.13"];

const CONFIG: &str = r#"
[server]
listen = ["127.0.0.1:53"]
[zones."lb.example"]
file = "lb.zone"
[pools.core]
nodes = [
    { name = "core-1", address = "127.0.0.11" },
    { name = "core-2", address = "127.0.0.12" },
    { name = "core-3", address = "127.0.0.13" },
]
[names."core.lb.example"]
pool = "core"
"#;

/// The cluster over HTTP.
const HTTP: &str = "http://core.lb.example:8008";

/// The cluster over HTTPS.
const HTTPS: &str = "https://core.lb.example:8443";

/// The cluster over HTTPS, with a certificate for another name.
const WRONG_CERTIFICATE: &str = "https://core.lb.example:9443";

/// The servers of nginx at the addresses of the nodes. The first one refuses other names.
const NGINX: &str = r#"
client_max_body_size 0;
server {
    listen 8008 default_server;
    listen 8443 ssl default_server;
    listen 9443 ssl default_server;
    ssl_reject_handshake on;
    return 421 "the request is for another name";
}
server {
    listen 8008;
    listen 8443 ssl;
    server_name core.lb.example;
    ssl_certificate DIR/right.pem;
    ssl_certificate_key DIR/right.key;
    location / { proxy_pass http://$server_addr:18008; }
}
server {
    listen 9443 ssl;
    server_name core.lb.example;
    ssl_certificate DIR/wrong.pem;
    ssl_certificate_key DIR/wrong.key;
    location / { proxy_pass http://$server_addr:18008; }
}
"#;

/// Nodes behind nginx, a server, a clean file and an infected one, in a network namespace.
struct Environment {
    core: CoreProgram,
    server: Server,
    _processes: Vec<Process>,
    network: Namespace,
    resolv_conf: PathBuf,
    authority: PathBuf,
    clean: PathBuf,
    infected: PathBuf,
}

/// The result of a program.
#[derive(Debug)]
struct Outcome {
    exit_code: Option<i32>,
    output: String,
    /// UDP datagrams in the network while it ran. Two queries, A and AAAA, with their responses are
    /// four.
    datagrams: u64,
}

impl Environment {
    fn start(core: CoreProgram) -> Self {
        let network = Namespace::new();
        let server = Server::start_in(&network, &[("evenkeel.toml", CONFIG), ("lb.zone", ZONE)]);
        let at = |name: &str| server.directory().join(name);
        let (resolv_conf, authority, clean, infected) =
            (at("resolv.conf"), at("authority.pem"), at("clean file.txt"), at("infected.com"));
        let issuer = Authority::new();
        for (file, name) in [("right", "core.lb.example"), ("wrong", "other.example")] {
            let (certificate, key) = issuer.certify(name);
            write_private(&at(&format!("{file}.pem")), &certificate);
            write_private(&at(&format!("{file}.key")), &key);
        }
        write_private(&authority, &issuer.pem());
        write_private(&resolv_conf, "nameserver 127.0.0.1\n");
        write_private(&clean, "harmless");
        std::fs::write(&infected, eicar()).expect("the test can write its directory");
        let node = |node: &&str| {
            let command_line = core.command_line(&format!("{node}:18008"));
            let mut command = network.command(&command_line[0]);
            Process::start(command.args(&command_line[1..]).stdout(Stdio::null()))
        };
        let mut processes: Vec<Process> = NODES.iter().map(node).collect();
        let front = NGINX.replace("DIR", &server.directory().display().to_string());
        let nginx = network.command(required("nginx", "nginx").to_str().expect("the path is text"));
        processes.push(Process::start(&mut nginx::command(nginx, server.directory(), &front)));
        let environment =
            Self { core, server, _processes: processes, network, resolv_conf, authority, clean, infected };
        wait_until("the nodes listen", || {
            NODES.iter().all(|node| environment.curl(&environment.control_url(node)).is_some())
                && environment.curl("http://127.0.0.11:8008/").is_some()
        });
        environment
    }

    /// Where a node shows its counters.
    fn control_url(&self, node: &str) -> String {
        format!("http://{node}:18008{}", self.core.control_path())
    }

    /// Requests a URL with curl in the network; returns the body, or `None` if the request fails.
    fn curl(&self, url: &str) -> Option<String> {
        let mut command = self.network.command(required("curl", "curl").to_str().expect("the path is text"));
        let output = command.args(["--silent", "--noproxy", "*", url]).output().expect("curl starts");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a program in the network, with the authority of the test as the trusted one.
    fn run(&self, program: &str, arguments: &[&str]) -> Outcome {
        let before = self.network.datagrams().expect("the network exists");
        let built = Path::new(PROGRAM).parent().expect("the program is in a directory");
        let mut command = self.network.command_with_resolver(&self.resolv_conf, program);
        // Each program has its own variable for trusted authorities.
        for name in ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] {
            command.env(name, &self.authority);
        }
        let path = format!("{}:{}", built.display(), std::env::var("PATH").unwrap_or_default());
        command.env("PATH", path).env("NODE_PATH", "/usr/share/nodejs");
        let output = command.args(arguments).output().expect("the built program starts");
        let datagrams = self.network.datagrams().expect("the network exists") - before;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Outcome { exit_code: output.status.code(), output: text, datagrams }
    }

    /// Sessions per node, and the number of requests that reached another node than that of their
    /// session.
    fn sessions(&self) -> (Vec<u64>, u64) {
        let counters = NODES.map(|node| {
            let text = self.curl(&self.control_url(node)).expect("the node responds");
            self.core.sessions(&serde_json::from_str(&text).expect("the text is JSON"))
        });
        (counters.iter().map(|(sessions, _)| *sessions).collect(), counters.iter().map(|(_, wrong)| wrong).sum())
    }

    /// Asserts that a program scans single files over HTTP and HTTPS, each on one node.
    fn scans_single_files(&self, program: &str, arguments: &[&str]) {
        let scan = |url, file: &Path| {
            self.run(program, &[arguments, &[url, file.to_str().expect("the path is text")]].concat())
        };
        let mut files = 0;
        // The name has characters with a meaning for curl, shells and URLs.
        let odd = self.clean.with_file_name("ü {clean}[1-9] 日本.txt");
        std::fs::copy(&self.infected, &odd).expect("the test can write its directory");
        for url in [HTTP, HTTPS] {
            for (file, code, verdict) in
                [(&self.clean, 0, "allowed"), (&self.infected, 2, "blocked"), (&odd, 2, "blocked")]
            {
                let outcome = scan(url, file);
                assert!(outcome.exit_code == Some(code) && outcome.output.contains(verdict), "{url}: {outcome:?}");
                assert!(NODES.iter().any(|node| outcome.output.contains(&format!("sent to {node}"))), "{outcome:?}");
                assert!((1..=4).contains(&outcome.datagrams), "the name is resolved once: {outcome:?}");
                files += 1;
            }
        }
        let refused = scan(WRONG_CERTIFICATE, &self.clean);
        assert!(refused.exit_code == Some(1) && refused.output.to_lowercase().contains("certificate"), "{refused:?}");
        let (sessions, wrong) = self.sessions();
        assert_eq!((sessions.iter().sum(), wrong), (files, 0), "{sessions:?}");
        // By chance, one node can have all sessions so far. More sessions make that unlikely.
        let mut spread = sessions;
        while spread.iter().filter(|&&sessions| sessions > 0).count() < 2 {
            assert!(files < 40, "sessions are spread: {spread:?}");
            assert_eq!(scan(HTTP, &self.clean).exit_code, Some(0));
            files += 1;
            spread = self.sessions().0;
        }
        assert_eq!(self.sessions().1, 0, "every request reaches the node of its session: {}", self.server.log());
    }
}

/// The path of a recipe.
fn recipe(name: &str) -> String {
    format!("{}/examples/recipes/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The Python for which Debian packages modules; this module must be installed.
fn python(module: &str) -> &'static str {
    let python = "/usr/bin/python3";
    assert_listed("python3");
    assert_listed(module);
    let found = Command::new(python).args(["-c", &format!("import {module}")]).output().expect("python3 is installed");
    assert!(found.status.success(), "{module} is missing: apt-get install python3-{module}");
    python
}

/// Asserts that a program scans single files, on nodes of both kinds.
fn scans_single_files(program: &str, arguments: &[&str]) {
    for core in CoreProgram::ALL {
        Environment::start(core).scans_single_files(program, arguments);
    }
}

#[test]
fn the_library_scans_single_files() {
    scans_single_files(&example("scan_file"), &[]);
}

#[test]
fn curl_scans_single_files() {
    required("curl", "curl");
    scans_single_files(&recipe("scan.sh"), &[]);
}

#[test]
fn requests_scans_single_files() {
    scans_single_files(python("requests"), &[&recipe("scan_requests.py")]);
}

#[test]
fn httpx_scans_single_files() {
    scans_single_files(python("httpx"), &[&recipe("scan_httpx.py")]);
}

#[test]
fn fetch_scans_single_files() {
    let node = required("node", "nodejs");
    assert_listed("undici");
    let undici = Path::new("/usr/share/nodejs/undici");
    assert!(undici.exists(), "undici is missing: apt-get install node-undici");
    scans_single_files(node.to_str().expect("the path is text"), &[&recipe("scan_fetch.js")]);
}

#[test]
fn batches_stay_on_the_node_that_opened_them() {
    CoreProgram::ALL.into_iter().for_each(scan_batches);
}

/// Scans batches with every program that can, on nodes of a kind.
fn scan_batches(core: CoreProgram) {
    let environment = Environment::start(core);
    let paths = [&environment.clean, &environment.infected].map(|path| path.to_str().expect("the path is text"));
    let mut batches = 0;
    for url in [HTTP, HTTPS] {
        for (program, signed) in [
            (example("scan_batch"), "infected.com: Some(Blocked(\"Infected\"))\n"),
            (recipe("batch.sh"), "signature: "),
        ] {
            let outcome = environment.run(&program, &[&[url], &paths[..]].concat());
            assert!(outcome.exit_code == Some(2) && outcome.output.contains(signed), "{program}: {outcome:?}");
            assert!((1..=4).contains(&outcome.datagrams), "the name is resolved once: {outcome:?}");
            assert_eq!(environment.run(&program, &[url, paths[0]]).exit_code, Some(0), "{program}");
            batches += 2;
        }
    }
    let missing = environment.run(&recipe("batch.sh"), &[HTTP, "/nonexistent"]);
    assert!(missing.exit_code == Some(1) && missing.output.contains("/nonexistent is not sent"), "{missing:?}");
    // curl would expand this name to the names of two missing files.
    let odd = environment.clean.with_file_name("[1-2].txt");
    std::fs::copy(&environment.infected, &odd).expect("the test can write its directory");
    let odd = environment.run(&recipe("batch.sh"), &[HTTP, odd.to_str().expect("the path is text")]);
    assert_eq!(odd.exit_code, Some(2), "{odd:?}");
    batches += 1;
    let (sessions, wrong) = environment.sessions();
    assert_eq!((sessions.iter().sum::<u64>(), wrong), (batches + 1, 0), "{sessions:?}");
}

#[test]
fn a_second_process_resumes_a_session_without_dns() {
    CoreProgram::ALL.into_iter().for_each(resume_session);
}

/// Starts a session in one process and continues it in another, on nodes of a kind.
fn resume_session(core: CoreProgram) {
    let environment = Environment::start(core);
    let sent = environment
        .run(&example("resume_session"), &[HTTPS, "send", environment.clean.to_str().expect("the path is text")]);
    let resumed = environment.run(&example("resume_session"), &[HTTPS, "wait", sent.output.trim()]);
    assert!(resumed.exit_code == Some(0) && resumed.output == "Allowed\n", "{sent:?} {resumed:?}");
    assert_eq!(resumed.datagrams, 0, "the ticket names the node");
    let (sessions, wrong) = environment.sessions();
    assert_eq!((sessions.iter().sum::<u64>(), wrong), (1, 0));
}
