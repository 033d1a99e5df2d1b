//! The pages for users: links, anchors, words and form.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::markdown::{anchors, links, prose};
use crate::support::repository::{self, files_below, read};

/// Words for people; the pages do not use them for components.
const WORDS_FOR_PEOPLE: [&str; 6] = ["nobody", "somebody", "whoever", "whom", "anybody", "everybody"];

/// Sites that pages may link: projects and standards, but no package registries.
const SITES: [&str; 6] = [
    "https://github.com/hickory-dns/",
    "https://semver.org/",
    "https://www.opswat.com/products/metadefender/core",
    "https://www.rfc-editor.org/rfc/",
    "https://www.rust-lang.org/",
    "https://github.com/gdnsd/gdnsd",
];

/// Longest line of prose, in characters.
const COLUMNS: usize = 100;

/// All pages: those in `docs`, the README and the changelog.
fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned(), "CHANGELOG.md".to_owned()];
    pages.extend(relative_paths("docs", "md"));
    assert!(pages.len() > 15, "{pages:?}");
    pages
}

/// The files below a directory that have this extension. Paths begin at the root.
fn relative_paths(directory: &str, extension: &str) -> Vec<String> {
    let root = repository::root();
    let relative = |path: PathBuf| path.strip_prefix(root).expect("the path is below the root").to_owned();
    let paths = files_below(&root.join(directory), extension).into_iter().map(relative);
    paths.map(|path| path.into_os_string().into_string().expect("the path is text")).collect()
}

/// The file that a relative link of a page leads to. A link with an anchor only leads to the page.
fn target(page: &str, path: &str) -> PathBuf {
    if path.is_empty() {
        return repository::root().join(page);
    }
    repository::root().join(page).parent().expect("the path has a parent").join(path)
}

/// The mistake in a link of a page, or `None`.
fn mistake(page: &str, link: &str) -> Option<String> {
    if link.starts_with("https://") {
        let is_known = SITES.iter().any(|site| link.starts_with(site));
        return (!is_known).then(|| format!("{page} links another site: {link}"));
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let file = target(page, path);
    if !file.exists() {
        return Some(format!("{page} links {link}, which does not exist"));
    }
    let anchor = anchor?;
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    (!anchors(&text).contains(anchor)).then(|| format!("{page} links {link}, which has no such heading"))
}

#[test]
fn every_link_and_anchor_of_the_pages_resolves() {
    let mut mistakes = Vec::new();
    for page in pages() {
        mistakes.extend(links(&read(&page)).iter().filter_map(|link| mistake(&page, link)));
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn the_index_lists_every_page() {
    let index: BTreeSet<PathBuf> =
        links(&read("docs/README.md")).iter().map(|link| target("docs/README.md", link)).collect();
    for page in pages().iter().filter(|page| page.starts_with("docs/") && *page != "docs/README.md") {
        assert!(index.contains(&repository::root().join(page)), "docs/README.md lacks {page}");
    }
}

#[test]
fn pages_and_samples_do_not_use_words_for_people_for_components() {
    let samples = [relative_paths("config", "toml"), relative_paths("zones", "zone")].concat();
    let mut found = Vec::new();
    for file in pages().into_iter().chain(samples) {
        for (number, line) in read(&file).lines().enumerate() {
            let lower = line.to_lowercase();
            let mut words = lower.split(|c: char| !c.is_alphanumeric());
            if let Some(word) = words.find(|word| WORDS_FOR_PEOPLE.contains(word)) {
                found.push(format!("{file}:{}: {word}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn pages_link_metadefender_core_before_the_first_core_node() {
    for page in pages() {
        let text: Vec<String> =
            prose(&read(&page)).iter().filter(|line| !line.starts_with('#')).map(ToString::to_string).collect();
        let text = text.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(first) = text.find("Core node") {
            let link = text.find("[MetaDefender Core](https://www.opswat.com/products/metadefender/core)");
            assert!(link.is_some_and(|link| link < first), "{page} says \"Core node\" before it links the product");
        }
    }
}

#[test]
fn each_section_of_the_glossary_is_in_alphabetical_order() {
    let glossary = read("docs/glossary.md");
    for section in glossary.split("\n## ").skip(1) {
        let terms: Vec<String> =
            section.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_lowercase).collect();
        assert!(terms.len() > 10, "{section}");
        assert!(terms.is_sorted(), "{terms:?}");
    }
}

#[test]
fn prose_is_wrapped_at_100_columns() {
    for page in pages() {
        let text = read(&page);
        let long = prose(&text).into_iter().find(|line| !line.starts_with('|') && line.chars().count() > COLUMNS);
        assert_eq!(long, None, "{page}");
    }
}

#[test]
fn every_page_begins_with_its_only_title() {
    for page in pages() {
        let text = read(&page);
        let titles = prose(&text).into_iter().filter(|line| line.starts_with("# ")).count();
        assert!(text.starts_with("# ") && titles == 1, "{page} has {titles} titles");
    }
}
