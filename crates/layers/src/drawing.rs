//! The drawing in ARCHITECTURE.md: packages as a Mermaid graph, modules as lists in layers.

use std::fmt::Write;

use anyhow::{Context, Result, ensure};

use crate::cycles;
use crate::graph::Graph;
use crate::uses::Uses;
use crate::workspace::Workspace;

/// The line before the drawing.
const BEGIN: &str = "<!-- layers:begin -->";

/// The line after it.
const END: &str = "<!-- layers:end -->";

/// Longest line of a list of modules, in characters.
const WIDTH: usize = 100;

/// Draws the workspace.
pub(crate) fn section(workspace: &Workspace, uses: &[Uses]) -> String {
    let packages = cycles::between(workspace);
    let mut text = String::from("```mermaid\ngraph TD\n");
    for package in packages.layers().concat() {
        let _ = writeln!(text, "    {package}");
        for used in packages.uses_of(package) {
            let _ = writeln!(text, "    {package} --> {used}");
        }
    }
    text.push_str("```\n");
    for package in packages.layers().concat() {
        let Some(at) = workspace.position(package) else { continue };
        let (package, modules) = (&workspace.packages[at], uses[at].between_modules(&workspace.packages[at]));
        let _ = write!(text, "\n`{}`: {}\n\n```text\n{}```\n", package.name, package.description, list(&modules));
    }
    text
}

/// Lists names from the top down, each with those that it uses; a blank line is between two layers.
fn list(graph: &Graph) -> String {
    let longest = graph.nodes().map(str::len).max().unwrap_or_default();
    let layers = graph.layers();
    let described = layers.iter().map(|layer| {
        layer.iter().map(|node| line(node, longest, &graph.uses_of(node).collect::<Vec<_>>())).collect::<String>()
    });
    described.collect::<Vec<_>>().join("\n")
}

/// `name → used used used`, wrapped.
fn line(name: &str, longest: usize, used: &[&str]) -> String {
    let mut text = String::new();
    let mut line = if used.is_empty() { name.to_owned() } else { format!("{name:longest$} →") };
    for used in used {
        if line.chars().count() + 1 + used.len() > WIDTH {
            let _ = writeln!(text, "{line}");
            line = " ".repeat(longest + 2);
        }
        let _ = write!(line, " {used}");
    }
    let _ = writeln!(text, "{line}");
    text
}

/// Puts a drawing between the marks of a document.
///
/// # Errors
/// The document lacks a mark.
pub(crate) fn insert(document: &str, drawing: &str) -> Result<String> {
    let lacks = |mark: &str| format!("the document lacks the line {mark}");
    let (before, rest) = document.split_once(BEGIN).with_context(|| lacks(BEGIN))?;
    let (_, after) = rest.split_once(END).with_context(|| lacks(END))?;
    ensure!(!after.contains(BEGIN), "the document has two drawings");
    Ok(format!("{before}{BEGIN}\n{drawing}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_from_the_top_down() {
        let mut graph = Graph::default();
        for (from, to) in [("main", "cli"), ("cli", "dns"), ("cli", "zone"), ("dns", "zone")] {
            graph.add_edge(from.to_owned(), to.to_owned());
        }
        assert_eq!(list(&graph), "main → cli\n\ncli  → dns zone\n\ndns  → zone\n\nzone\n");
    }

    #[test]
    fn long_lists_are_wrapped() {
        let used: Vec<String> = (0..20).map(|n| format!("module_{n:02}")).collect();
        let wrapped = line("top", 3, &used.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(wrapped.lines().count() > 1 && wrapped.lines().all(|line| line.chars().count() <= WIDTH), "{wrapped}");
        assert!(wrapped.lines().nth(1).is_some_and(|line| line.starts_with("      module_")), "{wrapped}");
    }

    #[test]
    fn a_drawing_replaces_the_one_before() {
        let document = format!("# A\n\n{BEGIN}\nold\n{END}\n\nmore\n");
        let drawn = insert(&document, "new\n").unwrap();
        assert_eq!(drawn, format!("# A\n\n{BEGIN}\nnew\n{END}\n\nmore\n"));
        assert_eq!(insert(&drawn, "new\n").unwrap(), drawn);
        assert!(insert("# A\n", "new\n").is_err());
    }
}
