//! Reads Markdown pages: sections, tables, headings, links and commands.

use std::collections::{BTreeMap, BTreeSet};

/// The text below a heading of level 2 or 3, up to the next heading.
pub(super) fn section<'d>(page: &'d str, heading: &str) -> &'d str {
    let mut parts = ["##", "###"].into_iter().filter_map(|mark| page.split_once(&format!("\n{mark} {heading}\n")));
    let (_, rest) = parts.next().unwrap_or_else(|| panic!("there is no heading {heading}"));
    rest.split("\n#").next().unwrap_or_default()
}

/// The cells of all tables in a text, without the heads of the tables.
pub(super) fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_body = |at: usize| lines[at].starts_with('|') && at > 1 && lines[at - 1].starts_with('|');
    let body = (0..lines.len()).filter(|&at| is_body(at) && !lines[at].starts_with("|--"));
    body.map(|at| lines[at].trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// The code spans of a text.
pub(super) fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The code spans in the first cells of the tables below a heading.
pub(super) fn first_cells<'d>(page: &'d str, heading: &str) -> BTreeSet<&'d str> {
    rows(section(page, heading)).into_iter().flat_map(|cells| code_spans(cells[0])).collect()
}

/// The lines outside code blocks.
pub(super) fn prose(text: &str) -> Vec<&str> {
    let mut is_code = false;
    let outside = |line: &&str| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    };
    text.lines().filter(outside).collect()
}

/// The anchors of the headings, as forges make them.
pub(super) fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let anchor = |heading: &str| {
        let letters = heading.to_lowercase();
        let kept = letters.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let slug: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let count = seen.entry(slug.clone()).or_default();
        *count += 1;
        if *count == 1 { slug } else { format!("{slug}-{}", *count - 1) }
    };
    let headings = prose(text).into_iter().filter(|line| line.starts_with('#'));
    headings.map(|line| line.trim_start_matches(['#', ' '])).map(anchor).collect()
}

/// The targets of the links outside code blocks.
pub(super) fn links(text: &str) -> Vec<String> {
    let text = prose(text).join("\n");
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned).collect()
}

/// The lines of the `sh` code blocks.
pub(super) fn shell_commands(page: &str) -> Vec<String> {
    let blocks = page.split("```sh\n").skip(1);
    blocks.filter_map(|block| block.split("```").next()).flat_map(str::lines).map(str::to_owned).collect()
}
