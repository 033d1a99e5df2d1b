//! The RRset: all records of an owner name with the same type (RFC 2181 §5).

use super::Rtype;

/// The records of one owner name and type; class IN.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rrset {
    /// Type of all records.
    pub rtype: Rtype,
    /// In seconds.
    pub ttl: u32,
    /// In wire format, with uncompressed names; at least one, all different.
    pub rdatas: Vec<Box<[u8]>>,
}
