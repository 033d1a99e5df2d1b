//! A name that is looked up.

use smallvec::SmallVec;

use super::labels::{Labels, MAX_LABELS, MAX_WIRE_LEN, fold};

/// A lower-case name with its labels from right to left, as lookups walk them.
///
/// It is on the stack: the slow path makes one per query.
#[derive(Clone)]
pub struct Folded {
    wire: [u8; MAX_WIRE_LEN],
    /// Offset of the length byte of each label, leftmost first.
    starts: SmallVec<[u8; MAX_LABELS]>,
}

impl Folded {
    /// Folds a complete, valid name in wire format of at most [`MAX_WIRE_LEN`] bytes.
    pub fn new(name: &[u8]) -> Self {
        let mut starts = SmallVec::new();
        let mut start = 0;
        for label in Labels::of(name) {
            starts.push(start as u8);
            start += 1 + label.len();
        }
        let mut wire = [0; MAX_WIRE_LEN];
        fold(name, &mut wire);
        Self { wire, starts }
    }

    /// Number of labels, without the root label.
    pub fn label_count(&self) -> usize {
        self.starts.len()
    }

    /// The labels from right (below the root) to left.
    pub fn labels_from_root(&self) -> impl Iterator<Item = &[u8]> {
        self.starts.iter().rev().map(|&start| {
            let start = usize::from(start);
            let len = usize::from(self.wire[start]);
            &self.wire[start + 1..start + 1 + len]
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::name::Name;

    proptest! {
        #[test]
        fn labels_from_root_are_the_lower_case_labels_in_reverse(
            labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..6),
        ) {
            let mut wire = Vec::new();
            for label in &labels {
                wire.push(label.len() as u8);
                wire.extend_from_slice(label);
            }
            wire.push(0);
            let folded = Folded::new(&wire);
            prop_assert_eq!(folded.label_count(), labels.len());
            let name = Name::from_wire(&wire);
            prop_assert!(folded.labels_from_root().eq(name.labels().collect::<Vec<_>>().into_iter().rev()));
        }
    }
}
