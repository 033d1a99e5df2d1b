//! The documents are held against the program: every documented key, counter, member and kind is one
//! that the program has, and every sample loads. `commands` checks the commands and their options,
//! `pages` the links and the words.

mod commands;
mod pages;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use evenkeel::config::{self, Origin};
use serde_json::Value;

use crate::support::fake_core::Node;
use crate::support::free_address;
use crate::support::operator::{done, status};
use crate::support::program::{output_of, required};
use crate::support::server::{PROGRAM, Server, ZONE, write_private};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A certificate and its key, as PEM.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["ns1.lb.example".to_owned()]).expect("a certificate for the test");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A copy of `config/` and `zones/` with the files that the samples name.
fn samples() -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a directory for the test");
    for directory in ["config", "zones"] {
        std::fs::create_dir(copy.path().join(directory)).expect("a directory for the test");
        for entry in std::fs::read_dir(repository().join(directory)).expect("a directory of the repository") {
            let path = entry.expect("a file of the repository").path();
            let name = path.file_name().expect("a file has a name");
            std::fs::copy(&path, copy.path().join(directory).join(name)).expect("a copy");
        }
    }
    let (chain, key) = certificate();
    std::fs::write(copy.path().join("config/cert.pem"), chain).expect("a file for the test");
    write_private(&copy.path().join("config/key.pem"), &key);
    write_private(&copy.path().join("config/core.headers"), "apikey: 0123456789abcdef\n");
    write_private(&copy.path().join("config/web.credentials"), "probe:secret\n");
    write_private(&copy.path().join("config/chat.secret"), "0123456789abcdef\n");
    copy
}

fn files_of(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory of the repository");
    let paths = entries.map(|entry| entry.expect("a file of the repository").path());
    paths.filter(|path| path.extension().is_some_and(|e| e == extension)).collect()
}

/// The text below a heading of any level, up to the next heading.
fn section<'d>(document: &'d str, heading: &str) -> &'d str {
    let mut parts = ["##", "###"].into_iter().filter_map(|mark| document.split_once(&format!("\n{mark} {heading}\n")));
    let (_, rest) = parts.next().unwrap_or_else(|| panic!("there is no heading {heading}"));
    rest.split("\n#").next().unwrap_or_default()
}

/// The cells of the tables in a text, without their heads.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_body = |at: usize| lines[at].starts_with('|') && at > 1 && lines[at - 1].starts_with('|');
    let body = (0..lines.len()).filter(|&at| is_body(at) && !lines[at].starts_with("|--"));
    body.map(|at| lines[at].trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The names in the first cells of the tables below a heading.
fn first_cells<'d>(document: &'d str, heading: &str) -> BTreeSet<&'d str> {
    rows(section(document, heading)).into_iter().flat_map(|cells| quoted(cells[0])).collect()
}

/// The members of a JSON object.
fn members(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap_or_else(|| panic!("no object: {object}")).keys().map(String::as_str).collect()
}

#[test]
fn every_sample_configuration_and_zone_loads_without_a_warning() {
    let samples = samples();
    let mut zones_used = BTreeSet::new();
    for path in files_of(&samples.path().join("config"), "toml") {
        let text = std::fs::read_to_string(&path).expect("a copy made above");
        zones_used.extend(
            text.lines().filter_map(|line| Some(line.strip_prefix("file = \"../zones/")?.trim_matches('"').to_owned())),
        );
        let loaded = config::load(&Origin::File(path)).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(loaded.warnings.iter().count(), 0, "{}", loaded.warnings);
    }
    let zones: BTreeSet<String> = files_of(&samples.path().join("zones"), "zone")
        .iter()
        .map(|path| path.file_name().expect("a file has a name").to_string_lossy().into_owned())
        .collect();
    assert_eq!(zones, zones_used, "every zone file is loaded by a sample configuration");
}

#[test]
fn the_configuration_reference_has_exactly_the_keys_that_are_read() {
    let samples = samples();
    let full = samples.path().join("config/full.toml");
    let loaded = config::load(&Origin::File(full.clone())).unwrap_or_else(|problems| panic!("{problems}"));
    let read_keys: BTreeMap<String, BTreeSet<String>> = loaded
        .keys
        .iter()
        .map(|(title, keys)| ((*title).to_owned(), keys.iter().map(|key| (*key).to_owned()).collect()))
        .collect();
    let mut documented: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut title = String::new();
    for line in read("docs/configuration.md").lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            title = heading.trim_matches('`').to_owned();
        } else if let Some(key) = line.strip_prefix("| `").and_then(|rest| rest.split('`').next()) {
            documented.entry(title.clone()).or_default().insert(key.to_owned());
        }
    }
    assert_eq!(documented, read_keys);
    let text = std::fs::read_to_string(full).expect("a copy made above");
    for key in read_keys.values().flatten() {
        let is_table = text.contains(&format!("[{key}")) || text.contains(&format!(".{key}]"));
        assert!(is_table || text.contains(&format!("{key} = ")), "config/full.toml lacks {key}");
    }
}

/// What `check` accepts in the place of a word that is wrong.
fn accepted(wrong: &str) -> BTreeSet<String> {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let path = directory.path().join("evenkeel.toml");
    std::fs::write(&path, wrong).expect("a file for the test");
    let output = Command::new(PROGRAM).args(["check", "--config"]).arg(&path).output().expect("the program starts");
    let text = String::from_utf8(output.stderr).expect("text");
    let (_, list) = text.split_once("accepted: ").unwrap_or_else(|| panic!("{text}"));
    list.lines().next().expect("a line").split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_documented_kinds_of_events_and_monitors_are_those_that_are_accepted() {
    let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    let events = read("docs/events.md");
    let kinds = rows(section(&events, "Kinds of events")).into_iter().flat_map(|cells| quoted(cells[0])).collect();
    assert_eq!(
        owned(kinds),
        accepted("[notifications.a]\nkind = \"exec\"\ncommand = [\"/bin/sh\"]\nevents = [\"x\"]\n")
    );
    let checks = read("docs/health-checks.md");
    assert_eq!(owned(first_cells(&checks, "Choose a kind")), accepted("[monitors.a]\nkind = \"x\"\n"));
}

#[test]
fn the_faults_and_counters_of_the_fake_core_node_are_those_that_it_has() {
    let document = read("docs/fake-core-node.md");
    let (faults, counters) = (first_cells(&document, "Faults"), first_cells(&document, "Counters"));
    let node = Node::start(&[]);
    let (_, shown) = node.ask("/_fake", &[]);
    let mut shown = members(&shown);
    // It is not a state, so it is not shown.
    shown.insert("outage");
    assert_eq!(faults.union(&counters).copied().collect::<BTreeSet<_>>(), shown);
    for fault in faults {
        let (status, refused) = node.ask("/_fake", &["-X", "PUT", "-d", &format!("{{\"{fault}\": \"x\"}}")]);
        assert!(status == 400 && refused.to_string().contains("invalid type"), "{fault}: {refused}");
    }
    for counter in counters {
        let (status, refused) = node.ask("/_fake", &["-X", "PUT", "-d", &format!("{{\"{counter}\": 1}}")]);
        assert!(status == 400 && refused.to_string().contains("unknown field"), "{counter}: {refused}");
    }
    let outage = first_cells(&document, "Outages");
    let (_, refused) = node.ask("/_fake", &["-X", "PUT", "-d", "{\"outage\": {\"x\": 1}}"]);
    let accepted = refused["err"].as_str().expect("a reason");
    assert_eq!(outage, quoted(accepted).skip(1).collect(), "{accepted}");
}

/// A server on all transports, with nodes that are down, an override, a nomination and events.
fn busy_server() -> Server {
    let closed = free_address().port();
    let config = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\n[server.tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n\
         dot = [\"127.0.0.1:0\"]\ndoh = [\"127.0.0.1:0\"]\ndoq = [\"127.0.0.1:0\"]\n\
         [admin]\nsocket = \"admin.sock\"\n[zones.\"lb.example\"]\nfile = \"lb.zone\"\n\
         [monitors.closed]\nkind = \"tcp\"\nport = {closed}\n\
         [pools.core]\nmonitors = [\"closed\"]\nnodes = [\n{{ name = \"a\", address = \"127.0.0.1\" }},\n\
         {{ name = \"b\", address = \"127.0.0.2\", role = \"backup\" }}]\n[names.\"core.lb.example\"]\npool = \"core\"\n"
    );
    let (chain, key) = certificate();
    let server =
        Server::start_with(&[("evenkeel.toml", &config), ("lb.zone", ZONE), ("cert.pem", &chain), ("key.pem", &key)]);
    done(&server, "drain core/a --force");
    done(&server, "nominate core/b --force");
    server
}

#[test]
fn the_status_object_and_the_events_have_exactly_the_documented_members() {
    let (api, events) = (read("docs/api.md"), read("docs/events.md"));
    let server = busy_server();
    let status = status(&server);
    let pool = &status["pools"][0];
    let node = |at: usize| &pool["nodes"][at];
    for (heading, object) in [
        ("The status object", &status),
        ("A pool", pool),
        ("A node", node(0)),
        ("An address", &node(0)["addresses"][0]),
        ("An override", &node(0)["override"]),
        ("A nomination", &node(1)["nomination"]),
        ("A page of events", &serde_json::from_str(&curl(&server, "GET", "/v1/events").0).expect("JSON")),
    ] {
        assert_eq!(first_cells(&api, heading), members(object), "{heading}");
    }
    let shown = done(&server, "events --json");
    let shown: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let all: BTreeSet<&str> = shown.iter().flat_map(members).collect();
    assert_eq!(first_cells(&events, "Members of an event"), all);
}

#[test]
fn what_is_counted_is_what_is_documented() {
    let document = read("docs/status-and-counters.md");
    let server = busy_server();
    let status = status(&server);
    let section = section(&document, "Counters");
    for protocol in members(&status["answers"]) {
        assert!(section.contains(&format!("`{protocol}`")), "{protocol}");
    }
    assert_eq!(members(&status["answers"]).len(), 5, "all transports are listened on");
    let answers = &status["answers"]["udp"];
    assert_eq!(first_cells(&document, "Counters"), members(answers));
    let steps = answers.as_object().expect("an object").values().find_map(|member| member.get(0)).expect("steps");
    for member in members(steps).into_iter().chain(["records", "fallback_records"]) {
        assert!(section.contains(&format!("`{member}`")), "{member}");
    }
}

/// Body and status of a request to the API.
fn curl(server: &Server, method: &str, path: &str) -> (String, u16) {
    let text = output_of(
        Command::new(required("curl", "curl"))
            .args(["--silent", "--noproxy", "*", "--write-out", "\n%{http_code}", "-X", method])
            .arg("--unix-socket")
            .arg(server.directory().join("admin.sock"))
            .arg(format!("http://evenkeel{path}")),
    );
    let (body, status) = text.rsplit_once('\n').expect("a status");
    (body.to_owned(), status.parse().expect("a status"))
}

#[test]
fn every_documented_request_of_the_api_is_one_that_it_knows() {
    let server = busy_server();
    let api = read("docs/api.md");
    let requests = first_cells(&api, "Requests");
    assert_eq!(requests.len(), 6, "{requests:?}");
    for request in requests {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let (body, status) = curl(&server, method, &path.replace("POOL/NODE", "core/a"));
        // Those that change something lack their body or their query here.
        let expected: &[u16] = match method {
            "GET" => &[200],
            _ => &[400, 415],
        };
        assert!(expected.contains(&status), "{request}: {status} {body}");
    }
}
