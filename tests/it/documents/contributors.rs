//! The documents for contributors: the files that they name exist, and their lists are short.

use std::collections::BTreeSet;

use super::markdown::code_spans;
use crate::support::repository::{self, read};

/// The documents about the code.
const DOCUMENTS: [&str; 4] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "RELEASING.md", "SECURITY.md"];

/// Files in the root of the repository. Other paths are recognized by their folder.
const ROOT_FILES: [&str; 7] =
    ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "RELEASING.md", "SECURITY.md", "Cargo.toml", "deny.toml"];

/// The folders of the repository.
fn folders() -> BTreeSet<String> {
    let is_tracked = |name: &String| ![".git", "target"].contains(&name.as_str());
    let entries = std::fs::read_dir(repository::root())
        .expect("the repository can be read")
        .map(|entry| entry.expect("the repository can be read"));
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(is_tracked).collect()
}

/// The paths of the repository among the first words of code spans and the targets of links.
fn paths(text: &str) -> Vec<&str> {
    let folders = folders();
    let blocks = text.split("```").step_by(2);
    let spans = blocks.flat_map(code_spans).filter_map(|span| span.split(' ').next());
    let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let is_path = |word: &&str| {
        let folder = word.split('/').next().unwrap_or_default();
        ROOT_FILES.contains(word) || (word.contains('/') && folders.contains(folder))
    };
    spans.chain(links).filter(is_path).collect()
}

/// The sections of a document: title and text of each.
fn sections(text: &str) -> Vec<(&str, &str)> {
    text.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect()
}

/// The items of a section's numbered list, with the lines that continue them.
fn numbered_items(section: &str) -> Vec<String> {
    let is_numbered = |line: &str| line.split_once(". ").is_some_and(|(number, _)| number.parse::<u8>().is_ok());
    let mut items: Vec<String> = Vec::new();
    for line in section.lines() {
        match items.last_mut() {
            _ if is_numbered(line) => items.push(line.to_owned()),
            Some(item) if line.starts_with("   ") => item.push_str(line),
            _ => {}
        }
    }
    items
}

/// The paths that a section's numbered list names.
fn listed(section: &str) -> BTreeSet<String> {
    let path = |item: String| code_spans(&item).next().expect("an item names a file").to_owned();
    numbered_items(section).into_iter().map(path).collect()
}

#[test]
fn every_path_in_the_documents_exists() {
    for document in DOCUMENTS {
        let text = read(document);
        let paths = paths(&text);
        assert!(!paths.is_empty(), "{document} names files");
        for path in paths {
            // NAME stands for the name of a new file, so only its folder exists.
            let existing =
                if path.contains("NAME") { path.rsplit_once('/').map_or(path, |(folder, _)| folder) } else { path };
            assert!(repository::root().join(existing).exists(), "{document} names {path}");
        }
    }
}

#[test]
fn every_link_in_the_documents_leads_to_a_file_or_a_web_page() {
    for document in DOCUMENTS {
        let text = read(document);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            let is_file = target.is_empty() || repository::root().join(target).exists();
            assert!(is_file || target.starts_with("https://"), "{document} links to {link}");
        }
    }
}

#[test]
fn lists_of_files_for_additions_are_short() {
    let text = read("CONTRIBUTING.md");
    let lists: Vec<_> = sections(&text)
        .into_iter()
        .filter_map(|(title, text)| Some((title.strip_prefix("Add a ")?, listed(text))))
        .collect();
    for (addition, most) in [("monitor kind", 7), ("configuration key", 5), ("command", 7), ("counter", 5)] {
        let list =
            lists.iter().find(|(title, _)| *title == addition).unwrap_or_else(|| panic!("no list for a {addition}"));
        assert!((2..=most).contains(&list.1.len()), "{addition}: {:?}", list.1);
    }
    assert_eq!(lists.len(), 4, "{lists:?}");
}

#[test]
fn lists_of_files_for_additions_name_what_is_in_the_files() {
    let text = read("CONTRIBUTING.md");
    let additions = sections(&text).into_iter().filter(|(title, _)| title.starts_with("Add a "));
    for item in additions.flat_map(|(_, text)| numbered_items(text)) {
        let mut spans = code_spans(&item);
        let file = spans.next().expect("an item names a file");
        let items: Vec<&str> = spans.collect();
        if file.contains("NAME") || items.is_empty() {
            continue;
        }
        let content = read(file);
        for named in items {
            let is_there = content.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == named);
            assert!(is_there, "CONTRIBUTING.md says that {file} has {named}");
        }
    }
}

#[test]
fn paths_through_the_code_are_short() {
    let text = read("ARCHITECTURE.md");
    let paths: Vec<_> = sections(&text).into_iter().filter(|(title, _)| title.starts_with("The path of ")).collect();
    assert_eq!(paths.len(), 6, "paths of a query, an observation, a drain, a reload, a nomination and a scan");
    for (title, text) in paths {
        let files = listed(text);
        assert!((2..=8).contains(&files.len()), "{title}: {files:?}");
    }
}

#[test]
fn the_documents_name_the_rust_version_of_the_workspace() {
    let manifest = read("Cargo.toml");
    let oldest = manifest.split("rust-version = \"").nth(1).and_then(|rest| rest.split('"').next());
    let oldest = oldest.expect("the workspace has a rust-version");
    for document in ["CONTRIBUTING.md", "README.md"] {
        assert!(read(document).contains(oldest), "{document} lacks {oldest}");
    }
}

#[test]
fn packages_are_published_after_their_dependencies() {
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
        let text = read(&manifest(package));
        let dependencies = text.split("\n[dependencies]").nth(1).unwrap_or_default();
        let dependencies = dependencies.split("\n[").next().unwrap_or_default();
        for later in &published[at + 1..] {
            let names = |line: &str| line.split(['=', '.', ' ']).next() == Some(later);
            assert!(!dependencies.lines().any(names), "{package} needs {later}, which is published later");
        }
    }
    assert_eq!(published.last(), Some(&"evenkeel"));
}
