//! The pages themselves: links, anchors, words and form.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::{read, repository};

/// Words for people where a component is meant.
const PERSONS: [&str; 6] = ["nobody", "somebody", "whoever", "whom", "anybody", "everybody"];

/// Sites that pages link: projects and standards, no package registries.
const SITES: [&str; 5] = [
    "https://github.com/hickory-dns/",
    "https://semver.org/",
    "https://www.opswat.com/products/metadefender/core",
    "https://www.rfc-editor.org/rfc/",
    "https://www.rust-lang.org/",
];

/// Columns of a line of prose.
const COLUMNS: usize = 100;

/// All pages: those in `docs`, the README and the changelog.
fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned(), "CHANGELOG.md".to_owned()];
    pages.extend(files_below("docs", "md"));
    assert!(pages.len() > 15, "{pages:?}");
    pages
}

/// Files below a directory, by their path from the repository's root.
fn files_below(directory: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(repository().join(directory)).expect("a directory of the repository") {
        let entry = entry.expect("an entry of the repository");
        let path = format!("{directory}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            found.extend(files_below(&path, extension));
        } else if path.ends_with(&format!(".{extension}")) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Lines outside code blocks.
fn prose(text: &str) -> Vec<&str> {
    let mut is_code = false;
    let outside = |line: &&str| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    };
    text.lines().filter(outside).collect()
}

/// The headings of a page, without their marks.
fn headings(text: &str) -> Vec<&str> {
    prose(text)
        .into_iter()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches(['#', ' ']))
        .collect()
}

/// The anchors of a page's headings, as forges make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let anchor = |heading: &str| {
        let letters = heading.to_lowercase();
        let kept = letters.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let slug: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let count = seen.entry(slug.clone()).or_default();
        *count += 1;
        if *count == 1 { slug } else { format!("{slug}-{}", *count - 1) }
    };
    headings(text).into_iter().map(anchor).collect()
}

/// The targets of a page's links.
fn links(text: &str) -> Vec<String> {
    let text = prose(text).join("\n");
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned).collect()
}

/// The file that a relative link of a page leads to; the page itself for a bare anchor.
fn target(page: &str, path: &str) -> PathBuf {
    if path.is_empty() {
        return repository().join(page);
    }
    repository().join(page).parent().expect("a file has a directory").join(path)
}

/// What is wrong with a link of a page, if anything.
fn fault(page: &str, link: &str) -> Option<String> {
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
fn every_link_and_anchor_of_every_page_resolves() {
    let mut faults = Vec::new();
    for page in pages() {
        faults.extend(links(&read(&page)).iter().filter_map(|link| fault(&page, link)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_page_is_in_the_index() {
    let index: BTreeSet<PathBuf> =
        links(&read("docs/README.md")).iter().map(|link| target("docs/README.md", link)).collect();
    for page in pages().iter().filter(|page| page.starts_with("docs/") && *page != "docs/README.md") {
        assert!(index.contains(&repository().join(page)), "docs/README.md lacks {page}");
    }
}

#[test]
fn no_page_and_no_sample_speaks_of_components_as_people() {
    let samples = [files_below("config", "toml"), files_below("zones", "zone")].concat();
    let mut found = Vec::new();
    for file in pages().into_iter().chain(samples) {
        for (number, line) in read(&file).lines().enumerate() {
            let lower = line.to_lowercase();
            let mut words = lower.split(|c: char| !c.is_alphanumeric());
            if let Some(word) = words.find(|word| PERSONS.contains(word)) {
                found.push(format!("{file}:{}: {word}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn pages_name_and_link_metadefender_core_before_they_call_it_core() {
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
fn the_sections_of_the_glossary_are_in_alphabetical_order() {
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
fn every_page_begins_with_its_title() {
    for page in pages() {
        let text = read(&page);
        let titles = prose(&text).into_iter().filter(|line| line.starts_with("# ")).count();
        assert!(text.starts_with("# ") && titles == 1, "{page} has {titles} titles");
    }
}
