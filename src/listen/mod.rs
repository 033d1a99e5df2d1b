//! Sockets: receives queries, gives them to the core, and sends the responses.
//!
//! The server in [`crate::daemon`] owns the [`Endpoints`]. Sockets that cannot be bound are
//! reported before anything changes. In reading order:
//!
//! 1. `endpoints`: all addresses that are listened on, and how a reload changes them
//! 2. `endpoint`: one address, its threads and tasks
//! 3. `bind`: binds the sockets and sets their options
//! 4. `udp`: the worker threads; `address_family` is what differs between IPv4 and IPv6
//! 5. `tcp`: the listener; `tcp_connection` is one connection
//! 6. `encrypted`: DNS over TLS, HTTPS and QUIC on the listeners of hickory; `hickory` passes their
//!    requests on
//!
//! All transports call [`Responder::respond`](evenkeel_core::respond::Responder::respond) with the
//! current snapshot. A UDP worker has a responder of its own; the connections of a listener use a
//! `stream_responder`.

mod address_family;
mod bind;
mod encrypted;
mod endpoint;
mod endpoints;
mod hickory;
mod stream_responder;
mod tcp;
mod tcp_connection;
mod udp;

pub use endpoints::{Endpoints, PreparedEndpoints};
