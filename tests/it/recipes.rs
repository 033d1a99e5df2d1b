//! The recipes of `examples/`, run as a user runs them: the system resolves the shared name, and three nodes answer behind
//! nginx, which knows no other name than the shared one, neither in Host nor in SNI.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::authority::Authority;
use crate::support::fake_core::eicar;
use crate::support::namespace::Namespace;
use crate::support::program::{Running, assert_listed, example, required};
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

/// Over HTTP and over HTTPS, and where the certificate is for another name.
const HTTP: &str = "http://core.lb.example:8008";
const HTTPS: &str = "https://core.lb.example:8443";
const FOREIGN: &str = "https://core.lb.example:9443";

/// nginx at the nodes' addresses: what is not asked of the shared name is refused.
const FRONT: &str = r#"
client_max_body_size 0;
server {
    listen 8008 default_server;
    listen 8443 ssl default_server;
    listen 9443 ssl default_server;
    ssl_reject_handshake on;
    return 421 "asked under another name";
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

/// Nodes behind nginx, a server, a clean file and an infected one, in a network of their own.
struct Bench {
    server: Server,
    _processes: Vec<Running>,
    network: Namespace,
    resolv_conf: PathBuf,
    authority: PathBuf,
    clean: PathBuf,
    infected: PathBuf,
}

/// What a recipe did.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    text: String,
    /// DNS messages meanwhile: an A and an AAAA question, with their answers, are four.
    datagrams: u64,
}

impl Bench {
    fn start() -> Self {
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
        std::fs::write(&infected, eicar()).expect("a file for the test");
        let fake = |node: &&str| {
            let mut command = network.command(PROGRAM);
            command.args(["fake-core", "--listen", &format!("{node}:18008")]).stdout(Stdio::null());
            Running::start(&mut command)
        };
        let mut processes: Vec<Running> = NODES.iter().map(fake).collect();
        let front = FRONT.replace("DIR", &server.directory().display().to_string());
        let nginx = network.command(required("nginx", "nginx").to_str().expect("a path of Debian"));
        processes.push(Running::start(&mut nginx::command(nginx, server.directory(), &front)));
        let bench = Self { server, _processes: processes, network, resolv_conf, authority, clean, infected };
        wait_until("the nodes listen", || {
            NODES.iter().all(|node| bench.curl(&format!("http://{node}:18008/_fake")).is_some())
                && bench.curl("http://127.0.0.11:8008/").is_some()
        });
        bench
    }

    /// What curl is answered in the network.
    fn curl(&self, url: &str) -> Option<String> {
        let mut command = self.network.command(required("curl", "curl").to_str().expect("a path of Debian"));
        let output = command.args(["--silent", "--noproxy", "*", url]).output().expect("curl starts");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Ran {
        let before = self.network.datagrams().expect("the network is there");
        let built = Path::new(PROGRAM).parent().expect("a directory of cargo's");
        let mut command = self.network.command_asking(&self.resolv_conf, program);
        // Whom they trust, as each of them is told.
        for name in ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] {
            command.env(name, &self.authority);
        }
        let path = format!("{}:{}", built.display(), std::env::var("PATH").unwrap_or_default());
        command.env("PATH", path).env("NODE_PATH", "/usr/share/nodejs");
        let output = command.args(arguments).output().expect("the program starts");
        let datagrams = self.network.datagrams().expect("the network is there") - before;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ran { code: output.status.code(), text, datagrams }
    }

    /// Sessions of each node, and requests that reached another node than the one of their session.
    fn sessions(&self) -> (Vec<u64>, u64) {
        let counters = NODES.map(|node| {
            let text = self.curl(&format!("http://{node}:18008/_fake")).expect("the node is there");
            serde_json::from_str::<Value>(&text).expect("JSON")
        });
        let count = |name: &str| counters.iter().map(|counters| counters[name].as_u64().expect("a number")).collect();
        let wrong: Vec<u64> = count("wrong_node");
        (count("sessions"), wrong.iter().sum())
    }

    /// What every recipe for single files does, over HTTP and HTTPS.
    #[track_caller]
    fn scans_single_files(&self, program: &str, arguments: &[&str]) {
        let scan =
            |url, file: &Path| self.run(program, &[arguments, &[url, file.to_str().expect("a path of ours")]].concat());
        let mut files = 0;
        // Names that mean something to somebody.
        let odd = self.clean.with_file_name("ü {clean}[1-9] 日本.txt");
        std::fs::copy(&self.infected, &odd).expect("a file for the test");
        for url in [HTTP, HTTPS] {
            for (file, code, word) in
                [(&self.clean, 0, "allowed"), (&self.infected, 2, "blocked"), (&odd, 2, "blocked")]
            {
                let ran = scan(url, file);
                assert!(ran.code == Some(code) && ran.text.contains(word), "{url}: {ran:?}");
                assert!(NODES.iter().any(|node| ran.text.contains(&format!("sent to {node}"))), "{ran:?}");
                assert!((1..=4).contains(&ran.datagrams), "the name is resolved once: {ran:?}");
                files += 1;
            }
        }
        let refused = scan(FOREIGN, &self.clean);
        assert!(refused.code == Some(1) && refused.text.to_lowercase().contains("certificate"), "{refused:?}");
        let (sessions, wrong) = self.sessions();
        assert_eq!((sessions.iter().sum(), wrong), (files, 0), "{sessions:?}");
        // By chance it may be one node that got all of them; not so often.
        let mut spread = sessions;
        while spread.iter().filter(|&&sessions| sessions > 0).count() < 2 {
            assert!(files < 40, "new sessions are spread: {spread:?}");
            assert_eq!(scan(HTTP, &self.clean).code, Some(0));
            files += 1;
            spread = self.sessions().0;
        }
        assert_eq!(self.sessions().1, 0, "a session stays: {}", self.server.log());
    }
}

/// Beside the test program, where cargo builds them for its tests.
fn recipe(name: &str) -> String {
    format!("{}/examples/recipes/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The Python that Debian's packages are for.
fn python(module: &str) -> &'static str {
    let python = "/usr/bin/python3";
    assert_listed("python3");
    assert_listed(module);
    let found = Command::new(python).args(["-c", &format!("import {module}")]).output().expect("python3 is installed");
    assert!(found.status.success(), "{module} is missing: apt-get install python3-{module}");
    python
}

#[test]
fn the_library_scans_single_files() {
    Bench::start().scans_single_files(&example("scan_file"), &[]);
}

#[test]
fn curl_scans_single_files() {
    required("curl", "curl");
    Bench::start().scans_single_files(&recipe("scan.sh"), &[]);
}

#[test]
fn requests_scans_single_files() {
    Bench::start().scans_single_files(python("requests"), &[&recipe("scan_requests.py")]);
}

#[test]
fn httpx_scans_single_files() {
    Bench::start().scans_single_files(python("httpx"), &[&recipe("scan_httpx.py")]);
}

#[test]
fn fetch_scans_single_files() {
    let node = required("node", "nodejs");
    assert_listed("undici");
    let undici = Path::new("/usr/share/nodejs/undici");
    assert!(undici.exists(), "undici is missing: apt-get install node-undici");
    Bench::start().scans_single_files(node.to_str().expect("a path of Debian"), &[&recipe("scan_fetch.js")]);
}

#[test]
fn batches_stay_at_the_node_that_opened_them() {
    let bench = Bench::start();
    let paths = [&bench.clean, &bench.infected].map(|path| path.to_str().expect("a path of ours"));
    let mut batches = 0;
    for url in [HTTP, HTTPS] {
        for (program, signed) in [
            (example("scan_batch"), "infected.com: Some(Blocked(\"Infected\"))\n"),
            (recipe("batch.sh"), "signature: "),
        ] {
            let ran = bench.run(&program, &[&[url], &paths[..]].concat());
            assert!(ran.code == Some(2) && ran.text.contains(signed), "{program}: {ran:?}");
            assert!((1..=4).contains(&ran.datagrams), "the name is resolved once: {ran:?}");
            assert_eq!(bench.run(&program, &[url, paths[0]]).code, Some(0), "{program}");
            batches += 2;
        }
    }
    let gone = bench.run(&recipe("batch.sh"), &[HTTP, "/nonexistent"]);
    assert!(gone.code == Some(1) && gone.text.contains("/nonexistent is not sent"), "{gone:?}");
    // The name of a file that is not there, but for what curl would make of it.
    let odd = bench.clean.with_file_name("[1-2].txt");
    std::fs::copy(&bench.infected, &odd).expect("a file for the test");
    let odd = bench.run(&recipe("batch.sh"), &[HTTP, odd.to_str().expect("a path of ours")]);
    assert_eq!(odd.code, Some(2), "{odd:?}");
    batches += 1;
    let (sessions, wrong) = bench.sessions();
    assert_eq!((sessions.iter().sum::<u64>(), wrong), (batches + 1, 0), "{sessions:?}");
}

#[test]
fn a_second_process_resumes_a_session() {
    let bench = Bench::start();
    let sent = bench.run(&example("resume_session"), &[HTTPS, "send", bench.clean.to_str().expect("a path of ours")]);
    let resumed = bench.run(&example("resume_session"), &[HTTPS, "wait", sent.text.trim()]);
    assert!(resumed.code == Some(0) && resumed.text == "Allowed\n", "{sent:?} {resumed:?}");
    assert_eq!(resumed.datagrams, 0, "the ticket names the node");
    let (sessions, wrong) = bench.sessions();
    assert_eq!((sessions.iter().sum::<u64>(), wrong), (1, 0));
}
