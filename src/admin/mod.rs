//! Administration: commands and requests of operators, over a Unix socket and, for reading, over TCP.
//!
//! In reading order: `listeners` accept connections, `bounded` in number and time; `api` is the HTTP API;
//! [`AdminService`] carries requests out. A drain, a force and a resume are in `override_requests`; a
//! nomination is in `role_change`, as a `role_request` says, under the lock of its pool (`pool_locks`);
//! `auto_nominate` makes such requests without an operator. `client` is how the commands speak to the API.
//!
//! A change is stored first, then seen by queries, then acknowledged. What is refused is an [`AdminError`].

mod api;
mod auto_nominate;
mod bounded;
pub mod client;
mod error;
mod listeners;
mod override_requests;
mod pool_locks;
mod role_change;
mod role_request;
mod service;
mod timeouts;

pub use error::AdminError;
pub use listeners::{AdminListeners, open};
pub use role_request::{RoleChange, RoleRequest};
pub use service::AdminService;
