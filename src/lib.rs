//! evenkeel: an authoritative DNS server that answers a cluster's shared name with its healthy nodes.

pub mod diagnostic;
pub mod name;
pub mod zone;
