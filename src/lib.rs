//! evenkeel: an authoritative DNS server that answers a cluster's shared name with its healthy nodes.

mod abort_on_panic;
pub mod admin;
pub mod cli;
mod clock;
pub mod config;
pub mod daemon;
mod error_cause;
pub mod events;
pub mod health;
pub mod listen;
mod log_throttle;
pub mod monitor;
mod open_files;
pub mod pool_config;
pub mod program;
pub mod role_action;
pub mod signals;
mod state_dir;
pub mod tls;
