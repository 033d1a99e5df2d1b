//! Dependency cycles between packages, between the top-level modules of a package, and between its
//! files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::graph::Graph;
use crate::package::Package;
use crate::uses::Uses;
use crate::workspace::Workspace;

/// Describes every dependency cycle of the workspace.
pub(crate) fn all(workspace: &Workspace, uses: &[Uses]) -> Vec<String> {
    let mut cycles = between_packages(&between(workspace));
    for (package, uses) in workspace.packages.iter().zip(uses) {
        cycles.extend(within(package, uses));
    }
    cycles
}

/// The graph of the workspace's packages.
pub(crate) fn between(workspace: &Workspace) -> Graph {
    let mut graph = Graph::default();
    for package in &workspace.packages {
        graph.add_node(package.name.clone());
        for used in package.siblings.iter().filter(|name| workspace.has(name)) {
            graph.add_edge(package.name.clone(), used.clone());
        }
    }
    graph
}

fn between_packages(graph: &Graph) -> Vec<String> {
    let described = |cycle: &BTreeSet<&str>| format!("dependency cycle of packages: {}", listed(cycle));
    graph.cycles().iter().map(described).collect()
}

/// Describes the cycles of a package: first those of its modules, then those of its files.
pub(crate) fn within(package: &Package, uses: &Uses) -> Vec<String> {
    let mut cycles = Vec::new();
    for cycle in uses.between_modules(package).cycles() {
        let what = format!("dependency cycle of {} modules in {}: {}", cycle.len(), package.name, listed(&cycle));
        cycles.push(what + &ties(package, uses, |module| cycle.get(package.top_level(module)).copied()));
    }
    for cycle in uses.between_files(package).cycles() {
        let what = format!("dependency cycle of {} files in {}", cycle.len(), package.name);
        cycles.push(what + &ties(package, uses, |module| cycle.get(package.path(module)).copied()));
    }
    cycles
}

/// One line for each pair of files that ties a cycle: which takes which names from which. `member`
/// gives the part of the cycle to which a module belongs, if it does.
fn ties<'c>(package: &Package, uses: &Uses, member: impl Fn(usize) -> Option<&'c str>) -> String {
    let mut ties: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for (&(from, to), names) in &uses.taken {
        let (Some(one), Some(other)) = (member(from), member(to)) else { continue };
        if one != other {
            let tie = ties.entry((package.path(from), package.path(to))).or_default();
            tie.extend(names.iter().map(String::as_str));
        }
    }
    let mut text = String::new();
    for ((from, to), names) in ties {
        let _ = write!(text, "\n  {from} → {to}: {}", listed(&names));
    }
    text
}

fn listed(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}
