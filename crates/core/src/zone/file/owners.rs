//! The records of a zone by their owner names, in the order of the file.

use std::collections::HashMap;

use super::record::Record;
use crate::name::Name;

/// The records of a zone by their owner names.
#[derive(Default)]
pub(super) struct ByOwner<'r> {
    /// Index in `owners`.
    index: HashMap<&'r Name, usize>,
    /// In the order in which the file mentions them.
    owners: Vec<(&'r Name, Vec<&'r Record>)>,
}

impl<'r> ByOwner<'r> {
    /// Sorts records by their owners.
    pub(super) fn new(records: &'r [Record]) -> Self {
        let mut by_owner = Self::default();
        for record in records {
            let next = by_owner.owners.len();
            let index = *by_owner.index.entry(&record.owner).or_insert(next);
            if index == next {
                by_owner.owners.push((&record.owner, Vec::new()));
            }
            by_owner.owners[index].1.push(record);
        }
        by_owner
    }

    /// The records of a name; none if the file does not mention it.
    pub(super) fn get(&self, name: &Name) -> &[&'r Record] {
        self.index.get(name).map_or(&[], |&index| &self.owners[index].1)
    }

    /// All owner names with their records.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'r Name, &[&'r Record])> {
        self.owners.iter().map(|(name, records)| (*name, records.as_slice()))
    }
}
