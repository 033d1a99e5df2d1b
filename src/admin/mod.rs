//! Administration: commands and requests of operators, over a Unix socket and, for reading, over
//! TCP.
//!
//! In reading order:
//!
//! - `client` sends the requests of the commands.
//! - `listeners` accept connections, `bounded` in number and time. `api` is the HTTP API.
//! - [`AdminService`] (`service`) carries requests out: drain, force and resume in
//!   `change_override`, nominate and demote in `change_role`. `role_request` says what a
//!   change of a role does to its pool, and `pool_locks` lock the pool meanwhile.
//! - `auto_nominate` makes such requests without an operator.
//!
//! A change is stored first; then queries see it; then the client gets its response. A refused
//! request is an [`AdminError`].

mod api;
mod auto_nominate;
mod bounded;
mod change_override;
mod change_role;
pub mod client;
mod error;
mod listeners;
mod pool_locks;
mod role_request;
mod service;
mod timeouts;

pub use bounded::MAX_CONNECTIONS;
pub use error::AdminError;
pub use listeners::{AdminListeners, open};
pub use role_request::{RoleChange, RoleRequest};
pub use service::AdminService;
