//! The records of a zone by their owner names, in the order of the file.

use hashbrown::HashMap;

use super::record::Record;
use crate::name::Name;

/// The records of a zone by their owner names. A few arrays hold them, whatever the number of names.
pub(super) struct ByOwner<'r> {
    /// Index in `owners`.
    index: HashMap<&'r Name, usize>,
    /// In the order in which the file mentions them, with the end of their records in `records`.
    owners: Vec<(&'r Name, usize)>,
    /// The records of the first owner, then of the second, and so on.
    records: Vec<&'r Record>,
}

impl<'r> ByOwner<'r> {
    /// Groups records by their owners.
    pub(super) fn new(records: &'r [Record]) -> Self {
        let mut index = HashMap::with_capacity(records.len());
        let mut owners: Vec<(&Name, usize)> = Vec::new();
        let mut numbered: Vec<(usize, &Record)> = Vec::with_capacity(records.len());
        for record in records {
            let next = owners.len();
            let number = *index.entry(&record.owner).or_insert(next);
            if number == next {
                owners.push((&record.owner, 0));
            }
            owners[number].1 += 1;
            numbered.push((number, record));
        }
        let mut end = 0;
        for (_, count) in &mut owners {
            end += *count;
            *count = end;
        }
        // A stable sort keeps the order of the file; most files have the records of a name together.
        numbered.sort_by_key(|(number, _)| *number);
        let records = numbered.into_iter().map(|(_, record)| record).collect();
        Self { index, owners, records }
    }

    /// The records of a name; none if the file does not mention it.
    pub(super) fn get(&self, name: &Name) -> &[&'r Record] {
        self.index.get(name).map_or(&[], |&number| self.records_of(number))
    }

    /// All owner names with their records.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'r Name, &[&'r Record])> {
        self.owners.iter().enumerate().map(|(number, (name, _))| (*name, self.records_of(number)))
    }

    /// The records of the owner with this index.
    fn records_of(&self, number: usize) -> &[&'r Record] {
        let start = number.checked_sub(1).map_or(0, |before| self.owners[before].1);
        &self.records[start..self.owners[number].1]
    }
}
