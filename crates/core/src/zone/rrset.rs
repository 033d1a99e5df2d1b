//! The RRset: all records of an owner name with the same type (RFC 2181 §5).

use smallvec::SmallVec;

use super::Rtype;

/// The records of one owner name and type, as the reader of zone files makes them; class IN.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Rrset<'r> {
    /// Type of all records.
    pub(super) rtype: Rtype,
    /// In seconds.
    pub(super) ttl: u32,
    /// In wire format, with uncompressed names; at least one, all different.
    pub(super) rdatas: SmallVec<[&'r [u8]; 1]>,
}

/// The records of one owner name and type in a zone; class IN.
#[derive(Clone, Copy, Debug)]
pub struct RrsetRef<'z> {
    /// Type of all records.
    pub rtype: Rtype,
    /// In seconds.
    pub ttl: u32,
    /// In wire format, with uncompressed names; at least one, all different.
    pub rdatas: Rdatas<'z>,
}

/// The rdata of the records of an RRset, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Rdatas<'z>(&'z [u8]);

impl<'z> Rdatas<'z> {
    /// Reads what [`put_rdata`] has written.
    pub(super) fn new(bytes: &'z [u8]) -> Self {
        Self(bytes)
    }

    /// The first one; empty if there is none.
    pub fn first(self) -> &'z [u8] {
        self.into_iter().next().unwrap_or_default()
    }
}

impl<'z> IntoIterator for Rdatas<'z> {
    type Item = &'z [u8];
    type IntoIter = RdataIter<'z>;

    fn into_iter(self) -> RdataIter<'z> {
        RdataIter(self.0)
    }
}

/// Iterator over the rdata of an RRset.
#[derive(Clone, Debug)]
pub struct RdataIter<'z>(&'z [u8]);

/// Appends one rdata, so that [`Rdatas`] can read it: its length in two bytes, and the bytes.
pub(super) fn put_rdata(out: &mut Vec<u8>, rdata: &[u8]) {
    // Rdata in a message has at most 65,535 bytes; the reader of zone files makes no longer ones.
    let rdata = &rdata[..rdata.len().min(usize::from(u16::MAX))];
    out.extend((rdata.len() as u16).to_ne_bytes());
    out.extend(rdata);
}

impl<'z> Iterator for RdataIter<'z> {
    type Item = &'z [u8];

    fn next(&mut self) -> Option<&'z [u8]> {
        let (len, rest) = self.0.split_first_chunk()?;
        let (rdata, rest) = rest.split_at_checked(usize::from(u16::from_ne_bytes(*len)))?;
        self.0 = rest;
        Some(rdata)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rdatas_are_read_as_they_were_written(
            rdatas in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..5),
        ) {
            let mut bytes = Vec::new();
            rdatas.iter().for_each(|rdata| put_rdata(&mut bytes, rdata));
            prop_assert_eq!(Rdatas::new(&bytes).into_iter().collect::<Vec<_>>(), rdatas);
        }
    }
}
