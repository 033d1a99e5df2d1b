//! Sockets, and the path of a query to the core.
//!
//! In reading order: [`Endpoints`] are the addresses that are listened on, each an `endpoint` whose sockets
//! `bind` makes. `udp` and `tcp` take packets and give them to
//! [`Responder::respond`](evenkeel_core::respond::Responder::respond) with the current snapshot;
//! `address_family` is what differs between IPv4 and IPv6 for UDP. `encrypted` runs hickory's listeners for
//! TLS, HTTPS and QUIC; `hickory` hands their requests to the same responder. The connections of a listener
//! share one (`shared_responder`).

mod address_family;
mod bind;
mod encrypted;
mod endpoint;
mod endpoints;
mod hickory;
mod shared_responder;
mod tcp;
mod udp;

pub use endpoints::{Endpoints, Prepared};
