//! Sockets: receives queries, gives them to the core, and sends the responses.
//!
//! The server in [`crate::daemon`] owns the [`Endpoints`]. Sockets that cannot be bound are
//! reported before anything changes. In reading order:
//!
//! 1. `endpoints`: all addresses that are listened on, and how a reload changes them
//! 2. `endpoint`: one address, its threads and tasks
//! 3. `bind`: binds the sockets and sets their options; `socket_options` defines two of these
//! 4. `udp`: the worker threads; `address_family` is what differs between IPv4 and IPv6;
//!    `receive_buffer` keeps the wait short under overload
//! 5. `tcp`: the listener; `accept` accepts its connections, `connections` bounds them, and
//!    `last_response` measures how long they are idle; `connection_budget` bounds the descriptors
//!    that all listeners of streams take together
//! 6. `stream_connection`: one connection over TCP or TLS
//! 7. `encrypted`: DNS over TLS, HTTPS and QUIC
//!
//! All transports call [`Responder::respond`](evenkeel_core::respond::Responder::respond) with the
//! current snapshot. A UDP worker has a responder of its own; the connections of a listener use a
//! `stream_responder`.

mod accept;
mod address_family;
mod bind;
mod connection_budget;
mod connections;
mod encrypted;
mod endpoint;
mod endpoints;
mod last_response;
mod receive_buffer;
mod socket_options;
mod stream_connection;
mod stream_responder;
mod tcp;
mod udp;

pub use endpoints::{Endpoints, PreparedEndpoints};
