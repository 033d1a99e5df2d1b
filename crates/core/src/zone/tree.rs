//! A tree of names that is walked label by label from its root, with one hash lookup per label.
//!
//! A walk passes all existing ancestors of a name, as the lookup algorithm of DNS needs it.
//! Delegations are on the way, and the last existing name is the closest encloser (RFC 4592
//! §3.3.1). The walk ends at the first label that does not exist. So its cost depends on the depth
//! of the closest encloser, not on the number of names or on the number of labels in the query.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Index of a tree node in a [`NameTree`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TreeIndex(u32);

#[derive(Debug)]
struct Node<T> {
    /// Offset of the label in `NameTree::labels`.
    label: usize,
    parent: TreeIndex,
    value: T,
}

/// Names below a root, each with a value. Labels must be lower case, of at most 63 bytes.
#[derive(Debug)]
pub(super) struct NameTree<T> {
    nodes: Vec<Node<T>>,
    /// The labels of all nodes: the length of each in one byte, and its bytes.
    labels: Vec<u8>,
    /// All nodes except the root, by parent and label.
    children: HashTable<TreeIndex>,
    hasher: DefaultHashBuilder,
}

impl<T: Default> NameTree<T> {
    /// The node at the top.
    pub(super) const ROOT: TreeIndex = TreeIndex(0);

    /// A tree with only a root.
    pub(super) fn new() -> Self {
        let root = Node { label: 0, parent: Self::ROOT, value: T::default() };
        Self { nodes: vec![root], labels: vec![0], children: HashTable::new(), hasher: DefaultHashBuilder::default() }
    }

    /// Makes room for this number of nodes, so that adding them moves nothing.
    pub(super) fn reserve(&mut self, nodes: usize) {
        let (all, labels, hasher) = (&self.nodes, &self.labels, &self.hasher);
        self.children.reserve(nodes, |index| hash(all, labels, hasher, *index));
        self.nodes.reserve(nodes);
    }

    /// Frees the memory that nothing was added to.
    pub(super) fn shrink(&mut self) {
        self.nodes.shrink_to_fit();
        self.labels.shrink_to_fit();
    }

    /// The value of a node.
    pub(super) fn value(&self, node: TreeIndex) -> &T {
        &self.nodes[node.0 as usize].value
    }

    /// The value of a node.
    pub(super) fn value_mut(&mut self, node: TreeIndex) -> &mut T {
        &mut self.nodes[node.0 as usize].value
    }

    /// The child of a node with this label.
    pub(super) fn child(&self, parent: TreeIndex, label: &[u8]) -> Option<TreeIndex> {
        let is_child = |&index: &TreeIndex| {
            let node = &self.nodes[index.0 as usize];
            node.parent == parent && *label_at(&self.labels, node.label) == *label
        };
        self.children.find(self.hasher.hash_one((parent.0, label)), is_child).copied()
    }

    /// Returns the tree node of a name. `labels` starts at the label below the root. Adds missing
    /// tree nodes.
    pub(super) fn insert<'l>(&mut self, labels: impl Iterator<Item = &'l [u8]>) -> TreeIndex {
        let mut at = Self::ROOT;
        for label in labels {
            at = self.child(at, label).unwrap_or_else(|| self.add_child(at, label));
        }
        at
    }

    /// Adds a child that does not exist yet.
    fn add_child(&mut self, parent: TreeIndex, label: &[u8]) -> TreeIndex {
        let index = TreeIndex(u32::try_from(self.nodes.len()).expect("2^32 names do not fit into memory"));
        self.nodes.push(Node { label: self.labels.len(), parent, value: T::default() });
        self.labels.push(label.len() as u8);
        self.labels.extend(label);
        let (nodes, labels, hasher) = (&self.nodes, &self.labels, &self.hasher);
        let own = hasher.hash_one((parent.0, label));
        self.children.insert_unique(own, index, |index| hash(nodes, labels, hasher, *index));
        index
    }

    /// The existing nodes along `labels`, from the root down; the root is the first.
    pub(super) fn walk<'t, 'l: 't>(
        &'t self,
        labels: impl Iterator<Item = &'l [u8]> + 't,
    ) -> impl Iterator<Item = TreeIndex> + 't {
        let below = labels.scan(Self::ROOT, |at, label| {
            *at = self.child(*at, label)?;
            Some(*at)
        });
        std::iter::once(Self::ROOT).chain(below)
    }
}

/// The hash of a node: of its parent and its label.
fn hash<T>(nodes: &[Node<T>], labels: &[u8], hasher: &DefaultHashBuilder, index: TreeIndex) -> u64 {
    let node = &nodes[index.0 as usize];
    hasher.hash_one((node.parent.0, label_at(labels, node.label)))
}

/// The label at an offset of `NameTree::labels`.
fn label_at(labels: &[u8], offset: usize) -> &[u8] {
    let start = offset + 1;
    &labels[start..start + usize::from(labels[offset])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_ends_at_the_closest_encloser() {
        let mut tree = NameTree::<Option<u8>>::new();
        let node = tree.insert([b"b".as_slice(), b"a"].into_iter());
        *tree.value_mut(node) = Some(7);
        let walked =
            |labels: &[&'static [u8]]| tree.walk(labels.iter().copied()).map(|n| *tree.value(n)).collect::<Vec<_>>();
        assert_eq!(walked(&[b"b", b"a"]), [None, None, Some(7)]);
        assert_eq!(walked(&[b"b", b"x", b"a"]), [None, None]);
        assert_eq!(walked(&[b"a"]), [None]);
    }
}
