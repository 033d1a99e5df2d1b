//! The reference tables: every documented key, counter, member and kind is one that the program
//! has.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use evenkeel::config::{self, Origin};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::markdown::{code_spans, first_cells, rows, section};
use crate::support::certificates::self_signed_pem;
use crate::support::commands::{run, status};
use crate::support::fake_core_process::FakeCoreProcess;
use crate::support::free_address;
use crate::support::program::{output_of, required};
use crate::support::repository::{self, read};
use crate::support::server::{PROGRAM, Server, ZONE, write_private};

/// Name in the certificates of the samples.
const NAME_SERVER: &str = "ns1.lb.example";

/// A copy of `config/` and `zones/` with the files that the samples name.
fn samples() -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("the test can create a directory");
    for directory in ["config", "zones"] {
        std::fs::create_dir(copy.path().join(directory)).expect("the test can create a directory");
        for entry in std::fs::read_dir(repository::root().join(directory)).expect("the repository can be read") {
            let path = entry.expect("the repository can be read").path();
            let name = path.file_name().expect("the path has a file name");
            std::fs::copy(&path, copy.path().join(directory).join(name)).expect("the test can write its directory");
        }
    }
    let (chain, key) = self_signed_pem(NAME_SERVER);
    std::fs::write(copy.path().join("config/cert.pem"), chain).expect("the test can write its directory");
    write_private(&copy.path().join("config/key.pem"), &key);
    write_private(&copy.path().join("config/core.headers"), "apikey: 0123456789abcdef\n");
    write_private(
        &copy.path().join("config/register.headers"),
        "apikey: 0123456789abcdef\nactivation-key: 0123\nactive-deployment-id: MSCL0123\n",
    );
    write_private(&copy.path().join("config/web.credentials"), "probe:secret\n");
    write_private(&copy.path().join("config/chat.secret"), "0123456789abcdef\n");
    write_private(&copy.path().join("config/cookie.secrets"), "0123456789abcdef0123456789abcdef\n");
    copy
}

/// The members of a JSON object.
fn members(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap_or_else(|| panic!("not an object: {object}")).keys().map(String::as_str).collect()
}

#[test]
fn every_sample_configuration_and_zone_loads_without_a_warning() {
    let samples = samples();
    let mut zones_used = BTreeSet::new();
    for path in repository::files_below(&samples.path().join("config"), "toml") {
        let text = std::fs::read_to_string(&path).expect("the copy can be read");
        zones_used.extend(
            text.lines().filter_map(|line| Some(line.strip_prefix("file = \"../zones/")?.trim_matches('"').to_owned())),
        );
        let loaded = config::load(&Origin::File(path)).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(loaded.warnings.iter().count(), 0, "{}", loaded.warnings);
    }
    let zones: BTreeSet<String> = repository::files_below(&samples.path().join("zones"), "zone")
        .iter()
        .map(|path| path.file_name().expect("the path has a file name").to_string_lossy().into_owned())
        .collect();
    assert_eq!(zones, zones_used, "a sample configuration loads every zone file");
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
    let titles = |keys: &BTreeMap<String, BTreeSet<String>>| keys.keys().cloned().collect::<Vec<_>>();
    assert_eq!(titles(&documented), titles(&read_keys), "docs/configuration.md, and the sections that are read");
    for (title, keys) in &read_keys {
        assert_eq!(&documented[title], keys, "docs/configuration.md, and the keys of {title} that are read");
    }
    let text = std::fs::read_to_string(full).expect("the copy can be read");
    let sample = DeTable::parse(&text).expect("the sample is TOML");
    for (title, keys) in &read_keys {
        let shown: BTreeSet<&str> = tables(sample.get_ref(), title)
            .into_iter()
            .flat_map(|table| table.keys())
            .map(|key| key.get_ref().as_ref())
            .collect();
        let missing: Vec<_> = keys.iter().filter(|key| !shown.contains(key.as_str())).collect();
        assert!(missing.is_empty(), "config/full.toml lacks {missing:?} of {title}");
    }
}

/// The tables of a configuration that a section of the reference describes.
fn tables<'t>(configuration: &'t DeTable<'t>, title: &str) -> Vec<&'t DeTable<'t>> {
    let below = |key: &str| tables(configuration, &format!("{key}.NAME"));
    match title {
        "the file" => vec![configuration],
        // Lists of tables within other tables.
        "a condition in json" => {
            ["json", "busy_json"].iter().flat_map(|key| listed_below(configuration, key)).collect()
        }
        "a node of [pools.NAME]" => listed_below(configuration, "nodes"),
        // Requests and programs have the same keys in monitors, actions and notifications.
        "[actions.NAME]" => [below("actions"), below("monitors")].concat(),
        "[notifications.NAME]" => [below("notifications"), below("monitors")].concat(),
        _ => {
            let path = title.trim_matches(['[', ']']).split('.');
            path.fold(vec![configuration], |tables, key| {
                let values = tables.into_iter().flat_map(|table| match key {
                    "NAME" => table.values().collect(),
                    key => Vec::from_iter(table.get(key)),
                });
                values.filter_map(|value| value.get_ref().as_table()).collect()
            })
        }
    }
}

/// The tables in the lists that a key names, wherever it stands in a table two levels down.
fn listed_below<'t>(configuration: &'t DeTable<'t>, key: &str) -> Vec<&'t DeTable<'t>> {
    let is_table = |value: &'t Spanned<DeValue<'t>>| value.get_ref().as_table();
    let named = configuration.values().filter_map(is_table).flat_map(|kind| kind.values()).filter_map(is_table);
    let lists = named.filter_map(|table| table.get(key)).filter_map(|value| value.get_ref().as_array());
    lists.flat_map(|list| list.iter()).filter_map(is_table).collect()
}

/// What `check` prints about a wrong configuration.
fn refusal_of(wrong: &str) -> String {
    let directory = tempfile::tempdir().expect("the test can create a directory");
    let path = directory.path().join("evenkeel.toml");
    std::fs::write(&path, wrong).expect("the test can write its directory");
    let output =
        Command::new(PROGRAM).args(["check", "--config"]).arg(&path).output().expect("the built program starts");
    String::from_utf8(output.stderr).expect("the output is text")
}

/// The values that `check` accepts instead of the wrong one in this configuration.
fn accepted_values(wrong: &str) -> BTreeSet<String> {
    let text = refusal_of(wrong);
    let (_, list) = text.split_once("accepted: ").unwrap_or_else(|| panic!("{text}"));
    list.lines().next().expect("the output has a line").split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_documented_kinds_of_events_and_monitors_are_the_accepted_ones() {
    let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    let events = read("docs/events.md");
    let kinds = rows(section(&events, "Kinds of events")).into_iter().flat_map(|cells| code_spans(cells[0])).collect();
    assert_eq!(
        owned(kinds),
        accepted_values("[notifications.a]\nkind = \"exec\"\ncommand = [\"/bin/sh\"]\nevents = [\"x\"]\n")
    );
    let accepted = accepted_values("[monitors.a]\nkind = \"x\"\n");
    assert_eq!(owned(first_cells(&read("docs/health-checks.md"), "Choose a kind")), accepted);
    let reference = read("docs/configuration.md");
    let reference = section(&reference, "`[monitors.NAME]`");
    let sample = read("config/full.toml");
    for kind in accepted {
        assert!(reference.contains(&format!("`\"{kind}\"`")), "docs/configuration.md lacks {kind} at `kind`");
        assert!(reference.contains(&format!("\n`{kind}`: ")), "docs/configuration.md lacks the keys of {kind}");
        assert!(sample.contains(&format!("kind = \"{kind}\"")), "config/full.toml lacks {kind}");
    }
}

#[test]
fn the_reference_has_exactly_the_keys_of_each_kind_of_monitor() {
    let document = read("docs/configuration.md");
    let kinds = accepted_values("[monitors.a]\nkind = \"x\"\n");
    // The first table is about all kinds. The line above each other table names its kinds.
    let mut documented: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut current: Vec<&str> = kinds.iter().map(String::as_str).collect();
    for line in section(&document, "`[monitors.NAME]`").lines() {
        let named: Vec<&str> = code_spans(line).filter(|span| kinds.contains(*span)).collect();
        if line.starts_with("| `") {
            for kind in &current {
                documented.entry(kind).or_default().extend(code_spans(line).next());
            }
        } else if line.starts_with("With TLS (") {
            current = named;
        } else if let [kind, ..] = named[..]
            && line.starts_with(&format!("`{kind}`: "))
        {
            current = vec![kind];
        }
    }
    for kind in &kinds {
        let refusal = refusal_of(&format!("[monitors.a]\nkind = \"{kind}\"\nnosuchkeyatall = 1\n"));
        let (_, list) = refusal.split_once("^ accepted: ").unwrap_or_else(|| panic!("{refusal}"));
        let accepted: BTreeSet<&str> = list.lines().next().expect("the list is a line").split(", ").collect();
        assert_eq!(documented[kind.as_str()], accepted, "docs/configuration.md, and the keys of {kind}");
    }
}

#[test]
fn the_documented_faults_and_counters_of_the_fake_core_node_exist_and_are_complete() {
    let document = read("docs/fake-core-node.md");
    let (faults, counters) = (first_cells(&document, "Faults"), first_cells(&document, "Counters"));
    let node = FakeCoreProcess::start(&[]);
    let (_, shown) = node.request("/_fake", &[]);
    let mut shown = members(&shown);
    // An outage is not a state, so the node does not show it.
    shown.insert("outage");
    assert_eq!(faults.union(&counters).copied().collect::<BTreeSet<_>>(), shown);
    for fault in faults {
        let (status, refused) = node.request("/_fake", &["-X", "PUT", "-d", &format!("{{\"{fault}\": \"x\"}}")]);
        assert!(status == 400 && refused.to_string().contains("invalid type"), "{fault}: {refused}");
    }
    for counter in counters {
        let (status, refused) = node.request("/_fake", &["-X", "PUT", "-d", &format!("{{\"{counter}\": 1}}")]);
        assert!(status == 400 && refused.to_string().contains("unknown field"), "{counter}: {refused}");
    }
    let outage = first_cells(&document, "Outages");
    let (_, refused) = node.request("/_fake", &["-X", "PUT", "-d", "{\"outage\": {\"x\": 1}}"]);
    let accepted = refused["err"].as_str().expect("the member is text");
    assert_eq!(outage, code_spans(accepted).skip(1).collect(), "{accepted}");
}

/// Starts a server whose status and events have all members: it has all transports, nodes that are
/// down, an override and a nomination.
fn start_server_with_all_members() -> Server {
    let closed = free_address().port();
    let config = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\n[server.tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n\
         dot = [\"127.0.0.1:0\"]\ndoh = [\"127.0.0.1:0\"]\ndoq = [\"127.0.0.1:0\"]\n\
         [admin]\nsocket = \"admin.sock\"\n[zones.\"lb.example\"]\nfile = \"lb.zone\"\n\
         [monitors.closed]\nkind = \"tcp\"\nport = {closed}\n\
         [pools.core]\nmonitors = [\"closed\"]\nnodes = [\n{{ name = \"a\", address = \"127.0.0.1\" }},\n\
         {{ name = \"b\", address = \"127.0.0.2\", role = \"backup\" }}]\n[names.\"core.lb.example\"]\npool = \"core\"\n"
    );
    let (chain, key) = self_signed_pem(NAME_SERVER);
    let server =
        Server::start_with(&[("evenkeel.toml", &config), ("lb.zone", ZONE), ("cert.pem", &chain), ("key.pem", &key)]);
    run(&server, "drain core/a --force");
    run(&server, "nominate core/b --force");
    server
}

#[test]
fn the_status_object_and_the_events_have_exactly_the_documented_members() {
    let (api, events) = (read("docs/api.md"), read("docs/events.md"));
    let server = start_server_with_all_members();
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
        (
            "A page of events",
            &serde_json::from_str(&api_request(&server, "GET", "/v1/events").0).expect("the text is JSON"),
        ),
    ] {
        assert_eq!(first_cells(&api, heading), members(object), "{heading}");
    }
    let shown = run(&server, "events --json");
    let shown: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).expect("the text is JSON")).collect();
    let all: BTreeSet<&str> = shown.iter().flat_map(members).collect();
    assert_eq!(first_cells(&events, "Members of an event"), all);
}

#[test]
fn the_documented_counters_are_those_of_the_status() {
    let document = read("docs/status-and-counters.md");
    let server = start_server_with_all_members();
    let status = status(&server);
    let section = section(&document, "Counters");
    for protocol in members(&status["responses"]) {
        assert!(section.contains(&format!("`{protocol}`")), "{protocol}");
    }
    assert_eq!(members(&status["responses"]).len(), 5, "the server has all transports");
    let udp = &status["responses"]["udp"];
    assert_eq!(first_cells(&document, "Counters"), members(udp));
    let steps = udp
        .as_object()
        .expect("the member is an object")
        .values()
        .find_map(|member| member.get(0))
        .expect("a counter is a list of steps");
    for member in members(steps).into_iter().chain(["records", "fallback_records"]) {
        assert!(section.contains(&format!("`{member}`")), "{member}");
    }
}

/// Sends a request to the API with curl; returns body and status.
fn api_request(server: &Server, method: &str, path: &str) -> (String, u16) {
    let text = output_of(
        Command::new(required("curl", "curl"))
            .args(["--silent", "--noproxy", "*", "--write-out", "\n%{http_code}", "-X", method])
            .arg("--unix-socket")
            .arg(server.directory().join("admin.sock"))
            .arg(format!("http://evenkeel{path}")),
    );
    let (body, status) = text.rsplit_once('\n').expect("curl prints the status");
    (body.to_owned(), status.parse().expect("curl prints the status"))
}

#[test]
fn the_api_knows_every_documented_request() {
    let server = start_server_with_all_members();
    let api = read("docs/api.md");
    let requests = first_cells(&api, "Requests");
    assert_eq!(requests.len(), 6, "{requests:?}");
    for request in requests {
        let (method, path) = request.split_once(' ').expect("the cell is a method and a path");
        let (body, status) = api_request(&server, method, &path.replace("POOL/NODE", "core/a"));
        // Requests that change state are refused, because they lack their body or query here.
        let expected: &[u16] = match method {
            "GET" => &[200],
            _ => &[400, 415],
        };
        assert!(expected.contains(&status), "{request}: {status} {body}");
    }
}
