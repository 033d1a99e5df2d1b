//! Names that no zone holds: the targets of names below a DNAME record (RFC 6672 §3.1).
//!
//! An [`Answer`](crate::message::Answer) borrows its names from the question and from zones. It
//! borrows synthesized names from here, so that other answers allocate nothing.

use std::cell::OnceCell;

/// The names that were synthesized for one answer. The caller of [`answer()`](super::answer())
/// keeps them while it uses the answer.
#[derive(Debug, Default)]
pub struct SynthesizedNames(OnceCell<Box<Link>>);

/// A name, and the names after it.
#[derive(Debug)]
struct Link {
    /// In wire format.
    name: Box<[u8]>,
    rest: SynthesizedNames,
}

impl SynthesizedNames {
    /// Keeps a name in wire format. An answer has few of them, so a list is enough.
    pub(super) fn keep(&self, name: Vec<u8>) -> &[u8] {
        let mut end = self;
        while let Some(link) = end.0.get() {
            end = &link.rest;
        }
        &end.0.get_or_init(|| Box::new(Link { name: name.into(), rest: Self::default() })).name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_where_they_are_while_others_are_added() {
        let names = SynthesizedNames::default();
        let kept: Vec<&[u8]> = (0..20).map(|i| names.keep(vec![i; 3])).collect();
        assert!(kept.iter().zip(0..).all(|(name, i)| *name == [i; 3]));
    }
}
