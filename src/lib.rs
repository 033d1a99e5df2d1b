//! evenkeel: an authoritative DNS server that answers a cluster's shared name with its healthy nodes.

pub mod config;
pub mod diagnostic;
pub mod health;
pub mod name;
pub mod pool;
pub mod serving;
pub mod zone;
