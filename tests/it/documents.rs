//! What the papers say is so: every documented key is one that is read, every sample loads, every command runs.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use evenkeel::config::{self, Origin};
use evenkeel::dns::{Answers, Protocol};

use crate::support::fake_core::Node;
use crate::support::server::{PROGRAM, write_private};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A copy of `config/` and `zones/` with a certificate for those that want one.
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
    let key = rcgen::generate_simple_self_signed(["ns1.lb.example".to_owned()]).expect("a certificate for the test");
    std::fs::write(copy.path().join("config/cert.pem"), key.cert.pem()).expect("a file for the test");
    write_private(&copy.path().join("config/key.pem"), &key.signing_key.serialize_pem());
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
fn the_reference_has_exactly_the_keys_that_are_read() {
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

/// First cells of the table below a heading.
fn first_cells<'d>(document: &'d str, heading: &str) -> BTreeSet<&'d str> {
    let (_, section) = document.split_once(&format!("\n## {heading}\n")).expect("the heading is there");
    let section = section.split("\n## ").next().unwrap_or_default();
    section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}

#[test]
fn the_faults_and_counters_of_the_fake_node_are_those_that_it_has() {
    let document = read("docs/testing.md");
    let (faults, counters) = (first_cells(&document, "Faults"), first_cells(&document, "Counters"));
    let node = Node::start(&[]);
    let (_, shown) = node.ask("/_fake", &[]);
    let mut shown: BTreeSet<&str> = shown.as_object().expect("an object").keys().map(String::as_str).collect();
    // It is not a state.
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
}

#[test]
fn what_is_counted_is_what_is_documented() {
    let answers = serde_json::to_value(Answers::default()).expect("JSON");
    let members: BTreeSet<&str> = answers.as_object().expect("an object").keys().map(String::as_str).collect();
    let document = read("docs/operating.md");
    assert_eq!(first_cells(&document, "What was answered"), members);
    let (_, section) = document.split_once("\n## What was answered\n").expect("the heading is there");
    for protocol in Protocol::ALL {
        let member = serde_json::to_string(&protocol).expect("JSON").replace('"', "`");
        assert!(section.contains(&member), "{member}");
    }
    assert!(section.contains("`records`") && section.contains("`fallback_records`"));
}

/// The commands in the `sh` blocks of a document.
fn commands(document: &str) -> Vec<String> {
    let blocks = document.split("```sh\n").skip(1);
    blocks.filter_map(|block| block.split("```").next()).flat_map(str::lines).map(str::to_owned).collect()
}

#[test]
fn the_commands_of_the_readme_are_those_that_run() {
    let readme = read("README.md");
    let commands = commands(&readme);
    for expected in [
        "cargo run --release -- demo",
        "tests/run",
        "dig @127.0.0.1 -p 5300 core.lb.example +short",
        "curl -X PUT http://127.0.0.12:8008/_fake -d '{\"readyz\": 503}'",
        "cargo run --release -- check --config config/small.toml",
    ] {
        assert!(commands.iter().any(|command| command == expected), "README lacks: {expected}");
    }
    assert!(read(".ci/run").contains("\ntests/run\n"), ".ci/run calls the README's test command");
    for command in commands.iter().filter_map(|command| command.split_once("-- ").map(|(_, rest)| rest)) {
        let word = command.split(' ').next().expect("a command has a first word");
        let help = Command::new(PROGRAM).args([word, "--help"]).output().expect("the program starts");
        assert!(help.status.success(), "evenkeel has no command {word}");
    }
    let check = Command::new(PROGRAM)
        .args(["check", "--config", "config/small.toml"])
        .current_dir(repository())
        .output()
        .expect("the program starts");
    assert!(check.status.success());
    let small = read("config/small.toml");
    let toml =
        readme.split("```toml\n").nth(1).and_then(|block| block.split("```").next()).expect("a sample in README");
    assert!(small.ends_with(toml), "the sample in README is config/small.toml");
}

#[test]
fn links_between_documents_lead_somewhere() {
    for document in [
        "README.md",
        "crates/client/README.md",
        "crates/client/CHANGELOG.md",
        "docs/configuration.md",
        "docs/answers.md",
        "docs/benchmarks/README.md",
        "docs/operating.md",
        "docs/pinning.md",
        "docs/running.md",
        "docs/testing.md",
        "docs/zones.md",
    ] {
        let text = read(document);
        let directory = Path::new(document).parent().expect("a file has a directory");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            let exists = target.is_empty()
                || target.starts_with("https://")
                || repository().join(directory).join(target).exists();
            assert!(exists, "{document} links to {link}");
        }
    }
}
