//! Graphs of names: dependency cycles and layers.

use std::collections::{BTreeMap, BTreeSet};

/// Which names use which others. No name uses itself.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    uses: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Adds a name that may have no edge.
    pub(crate) fn add_node(&mut self, node: String) {
        self.uses.entry(node).or_default();
    }

    /// Adds an edge; one from a name to itself is left out.
    pub(crate) fn add_edge(&mut self, from: String, to: String) {
        if from != to {
            self.add_node(to.clone());
            self.uses.entry(from).or_default().insert(to);
        }
    }

    /// All names, sorted.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &str> {
        self.uses.keys().map(String::as_str)
    }

    /// What a name uses, sorted.
    pub(crate) fn uses_of(&self, node: &str) -> impl Iterator<Item = &str> {
        self.uses.get(node).into_iter().flatten().map(String::as_str)
    }

    /// Groups of names that all lead to each other, in the order of their first names.
    pub(crate) fn cycles(&self) -> Vec<BTreeSet<&str>> {
        let reached: BTreeMap<&str, BTreeSet<&str>> =
            self.nodes().map(|node| (node, self.reached_from(node))).collect();
        let mut cycles: Vec<BTreeSet<&str>> = Vec::new();
        for (node, reaches) in &reached {
            if cycles.iter().any(|cycle| cycle.contains(node)) {
                continue;
            }
            let cycle: BTreeSet<&str> = reaches.iter().copied().filter(|other| reached[other].contains(node)).collect();
            if !cycle.is_empty() {
                cycles.push(cycle);
            }
        }
        cycles
    }

    /// The names in layers: each name uses names of later layers only, or of its own cycle. A name
    /// is in the lowest layer that its dependencies allow.
    pub(crate) fn layers(&self) -> Vec<Vec<&str>> {
        let cycles = self.cycles();
        let mut layers: Vec<Vec<&str>> = Vec::new();
        let mut placed: BTreeSet<&str> = BTreeSet::new();
        while placed.len() < self.uses.len() {
            let fits = |node: &&str| {
                let cycle = cycles.iter().find(|cycle| cycle.contains(node));
                let group = cycle.cloned().unwrap_or_else(|| BTreeSet::from([*node]));
                let mut used = group.iter().flat_map(|member| self.uses_of(member));
                used.all(|used| placed.contains(used) || group.contains(used))
            };
            let layer: Vec<&str> = self.nodes().filter(|node| !placed.contains(node)).filter(fits).collect();
            placed.extend(&layer);
            layers.push(layer);
        }
        layers.reverse();
        layers
    }

    fn reached_from<'g>(&'g self, node: &str) -> BTreeSet<&'g str> {
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut waiting: Vec<&str> = self.uses_of(node).collect();
        while let Some(next) = waiting.pop() {
            if reached.insert(next) {
                waiting.extend(self.uses_of(next));
            }
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::default();
        for (from, to) in edges {
            graph.add_edge((*from).to_owned(), (*to).to_owned());
        }
        graph
    }

    #[test]
    fn a_cycle_is_a_group_that_leads_back_to_itself() {
        let graph = graph(&[("a", "b"), ("b", "c"), ("c", "b"), ("c", "d"), ("e", "e"), ("x", "y"), ("y", "x")]);
        assert_eq!(graph.cycles(), [BTreeSet::from(["b", "c"]), BTreeSet::from(["x", "y"])]);
    }

    #[test]
    fn every_name_is_above_what_it_uses() {
        let graph = graph(&[("main", "cli"), ("cli", "dns"), ("cli", "zone"), ("dns", "zone"), ("zone", "name")]);
        assert_eq!(graph.layers(), [["main"], ["cli"], ["dns"], ["zone"], ["name"]]);
    }

    #[test]
    fn a_cycle_is_in_one_layer() {
        let graph = graph(&[("top", "a"), ("a", "b"), ("b", "a"), ("b", "low"), ("other", "low")]);
        assert_eq!(graph.layers(), [vec!["top"], vec!["a", "b", "other"], vec!["low"]]);
    }
}
