//! Shared names: owner names whose A and AAAA records are drawn from a pool.

use super::Rtype;

/// An owner name whose addresses are drawn from a pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SharedName {
    /// Index of the pool in the configuration and in
    /// [`Snapshot::pools`](crate::snapshot::Snapshot).
    pub pool: usize,
    /// In seconds.
    pub ttl: u32,
    /// The most address records per response.
    pub answers: usize,
}

/// Why a name of a zone cannot be a shared name.
#[derive(Debug, Eq, PartialEq)]
pub enum SharedNameConflict {
    /// The zone file has records of this type for the name.
    OtherData(Rtype),
    /// The name is at or below a delegation.
    Delegated,
    /// The name is at or below a name with a DNAME record.
    Redirected,
}
