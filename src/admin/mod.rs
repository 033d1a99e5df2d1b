//! Administration: what operators say and ask, over a Unix socket; over TCP, on loopback, they can only ask.
//!
//! Whoever may open the socket's file may write. `operator` carries out what is said: it keeps it first, on disk, and
//! then lets queries see it; `roles` does so for roles, with an action first, as a `wish` says, one after the other (`under_way`), and `stepping_in` asks for them without an
//! operator. `api` is the HTTP before it, `doors` where it listens, on `bounded` listeners; `client` is how the commands speak
//! to it.

mod api;
mod bounded;
pub mod client;
mod doors;
mod operator;
mod roles;
mod stepping_in;
mod under_way;
mod wish;

pub use doors::{Doors, open};
pub use operator::{Operator, Refused};
pub use wish::{Step, Wish};

use std::time::Duration;

/// Where the socket is when nothing else is said.
pub const DEFAULT_SOCKET: &str = "/run/evenkeel/admin.sock";

/// How long a command waits for its answer, and how long the server keeps a connection for it.
const PATIENCE: Duration = Duration::from_secs(30);
