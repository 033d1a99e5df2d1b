//! The documents for contributors: the files that they name exist, and their lists are short.

use std::collections::BTreeSet;
use std::path::Path;

/// The documents about the code, and not about the use of the program.
const DOCUMENTS: [&str; 4] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "RELEASING.md", "SECURITY.md"];

/// Files at the top of the repository have no folder to be known by.
const TOP: [&str; 7] =
    ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "RELEASING.md", "SECURITY.md", "Cargo.toml", "deny.toml"];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(document: &str) -> String {
    std::fs::read_to_string(repository().join(document)).unwrap_or_else(|error| panic!("{document}: {error}"))
}

/// Folders of the repository, under which a path in a document begins.
fn folders() -> BTreeSet<String> {
    let ours = |name: &String| ![".git", "target"].contains(&name.as_str());
    let entries = std::fs::read_dir(repository()).expect("the repository").map(|entry| entry.expect("an entry"));
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(ours).collect()
}

/// The first words of all code spans and all targets of links that are paths of the repository.
fn paths(text: &str) -> Vec<&str> {
    let folders = folders();
    let blocks = text.split("```").step_by(2);
    let spans = blocks.flat_map(|block| block.split('`').skip(1).step_by(2)).filter_map(|span| span.split(' ').next());
    let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let is_path = |word: &&str| {
        let folder = word.split('/').next().unwrap_or_default();
        TOP.contains(word) || (word.contains('/') && folders.contains(folder))
    };
    spans.chain(links).filter(is_path).collect()
}

/// The sections of a document: titles and texts.
fn sections(text: &str) -> Vec<(&str, &str)> {
    text.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect()
}

/// The paths that a section's numbered list names.
fn listed(section: &str) -> BTreeSet<&str> {
    let is_numbered = |line: &&str| line.split_once(". ").is_some_and(|(number, _)| number.parse::<u8>().is_ok());
    let items = section.lines().filter(is_numbered).map(|line| line.split('`').nth(1).expect("an item names a file"));
    items.collect()
}

#[test]
fn every_path_in_the_documents_exists() {
    for document in DOCUMENTS {
        let text = read(document);
        let paths = paths(&text);
        assert!(!paths.is_empty(), "{document} names files");
        for path in paths {
            // A new file, whose name is still to be chosen.
            let shown =
                if path.contains("NAME") { path.rsplit_once('/').map_or(path, |(folder, _)| folder) } else { path };
            assert!(repository().join(shown).exists(), "{document} names {path}");
        }
    }
}

#[test]
fn every_link_in_the_documents_leads_to_a_file_or_to_the_project() {
    for document in DOCUMENTS {
        let text = read(document);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            let is_ours = target.is_empty() || repository().join(target).exists();
            assert!(is_ours || target.starts_with("https://"), "{document} links to {link}");
        }
    }
}

#[test]
fn what_is_added_touches_few_files() {
    let text = read("CONTRIBUTING.md");
    let lists: Vec<_> = sections(&text)
        .into_iter()
        .filter_map(|(title, text)| Some((title.strip_prefix("Add a ")?, listed(text))))
        .collect();
    for (what, most) in [("monitor kind", 7), ("configuration key", 5), ("command", 7), ("counter", 5)] {
        let list = lists.iter().find(|(title, _)| *title == what).unwrap_or_else(|| panic!("no list for a {what}"));
        assert!((2..=most).contains(&list.1.len()), "{what}: {:?}", list.1);
    }
    assert_eq!(lists.len(), 4, "{lists:?}");
}

#[test]
fn every_path_through_the_code_has_few_stops() {
    let text = read("ARCHITECTURE.md");
    let paths: Vec<_> = sections(&text).into_iter().filter(|(title, _)| title.starts_with("The path of ")).collect();
    assert_eq!(paths.len(), 6, "a query, an observation, a drain, a reload, a nomination and a scan");
    for (title, text) in paths {
        let stops = listed(text);
        assert!((2..=8).contains(&stops.len()), "{title}: {stops:?}");
    }
}

#[test]
fn the_oldest_compiler_is_the_same_everywhere() {
    let manifest = read("Cargo.toml");
    let oldest = manifest.split("rust-version = \"").nth(1).and_then(|rest| rest.split('"').next());
    let oldest = oldest.expect("the workspace has a rust-version");
    for document in ["CONTRIBUTING.md", "README.md"] {
        assert!(read(document).contains(oldest), "{document} lacks {oldest}");
    }
}

#[test]
fn the_order_of_publishing_follows_the_dependencies() {
    let releasing = read("RELEASING.md");
    let published: Vec<&str> = releasing
        .split("cargo publish --locked -p ")
        .skip(1)
        .filter_map(|rest| rest.split(['`', '\n']).next())
        .collect();
    let manifest = |package: &str| match package.strip_prefix("evenkeel-") {
        None => "Cargo.toml".to_owned(),
        Some(folder) => format!("crates/{folder}/Cargo.toml"),
    };
    for (at, package) in published.iter().enumerate() {
        let path = repository().join(manifest(package));
        // A crate that is still to come.
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        let dependencies = text.split("\n[dependencies]").nth(1).unwrap_or_default();
        let dependencies = dependencies.split("\n[").next().unwrap_or_default();
        for later in &published[at + 1..] {
            let names = |line: &str| line.split(['=', '.', ' ']).next() == Some(later);
            assert!(!dependencies.lines().any(names), "{package} is published before {later}, which it needs");
        }
    }
    assert_eq!(published.last(), Some(&"evenkeel"));
}
