//! The path of a query.
//!
//! In reading order: `endpoints` are the addresses that are listened on, each an `endpoint`, bound by `listener`; `udp` and `tcp`
//! take packets (`family` is what differs between IPv4 and IPv6, `shorten` is for replies that no packet takes) and give them to
//! [`Responder::respond()`], where `query` and `edns` read a packet in place, `answer` says what is answered, and `encode` writes
//! it; for shared names `fast` does both at once. `encrypted` runs hickory's listeners for TLS, HTTPS and QUIC; `hickory` hands
//! their requests to the same `respond`. What was answered is counted in `tally`, and told by `totals`.

pub mod answer;
mod edns;
pub mod encode;
mod encrypted;
mod endpoint;
mod endpoints;
#[cfg(test)]
mod equality;
mod family;
mod fast;
mod hickory;
mod listener;
pub mod query;
mod respond;
mod shorten;
mod tally;
mod tcp;
#[cfg(test)]
mod tests;
mod totals;
mod udp;

pub use edns::Edns;
pub use endpoints::{Endpoints, Prepared};
pub use fast::SharedNames;
pub use respond::{Responder, Transport};
pub use tally::Tally;
pub use totals::{Answers, Numbers, Protocol, Tallies, Time, Totals};
