//! evenkeel: an authoritative DNS server that answers a cluster's shared name with its healthy
//! nodes.
//!
//! This crate is the server and the commands: sockets, probes, files and time. [`evenkeel_core`]
//! decides which nodes are eligible and what each response holds, without I/O. `main.rs` calls
//! [`cli::run`].
//!
//! # The two paths
//!
//! A query reads one immutable snapshot. An observation is the result of one probe. If it changes
//! an answer, the publisher stores the next snapshot. `core` stands for `evenkeel_core`.
//!
//! ```text
//!  A QUERY                                        AN OBSERVATION
//!
//!  listen/udp.rs   packets in batches             health/scheduler.rs   when to probe
//!     │ tcp.rs, encrypted/: streams                  │   ▲ result
//!     ▼                                              ▼   │
//!  core::respond::responder                       monitor/mod.rs        one probe of any kind
//!     │ core::message::query parses                  │
//!     ├─► fast_path  addresses of shared names       │ scheduler.rs sends the observation
//!     └─► answer     everything else                 ▼
//!     │   zone::lookup finds the name or its pool health/publisher.rs   the one owner of all state
//!     │ both: core::pool::draw draws nodes,          │
//!     ▼ core::message::encode writes                 ▼
//!  listen/udp.rs   responses in batches           core::state::pool_states
//!            ▲                                       │ observe: state::targets and its
//!            │                                       │ health::tracker count and combine
//!            │ reads                                 │ decide: pool_state, pool::decide decide
//!            │                                       ▼
//!            └───────────────────────────────── core::snapshot ◄── publisher.rs stores it
//! ```
//!
//! Three other things make the publisher store a snapshot:
//!
//! - **A drain**: `cli/drain.rs` → `admin/client.rs` → `admin/api.rs` → `admin/change_override.rs`
//!   checks it → `admin/service.rs` (`change`) → `state_dir/override_store.rs` stores it →
//!   `health/publisher.rs` → `core::state::apply_overrides`, then as after an observation. `force`
//!   and `resume` take the same path. After a restart, `daemon/start.rs` reads the store.
//! - **A reload**: SIGHUP → `daemon/mod.rs` (`run`) → `daemon/reload.rs`: `config/load.rs` reads
//!   the configuration and its zone files (`core::zone::file::load`), `listen/endpoints.rs` binds
//!   new addresses → `daemon/adopt.rs` → `health/config_handle.rs`: `health/scheduler.rs` probes
//!   new targets, `health/publisher.rs` keeps the health of the others and stores the snapshot. The
//!   start (`cli/run_daemon.rs`, `daemon/start.rs`) adopts in the same way, but answers only once
//!   the snapshot is stored.
//! - **A nomination**: `cli/nominate.rs` → `admin/client.rs` → `admin/api.rs` →
//!   `admin/change_role.rs`: `core::overrides::role_update` computes the new roles,
//!   `admin/role_request.rs` checks them, `role_action.rs` runs the action, and `admin/service.rs`
//!   (`change`) stores the roles as it stores a drain. An action cannot be undone if its role
//!   cannot be stored, so the store is written once before it. An auto-nomination:
//!   `admin/auto_nominate.rs` asks the publisher once a second → `core::state::auto_nominate` lists
//!   backups → `admin/auto_nominate.rs` picks one → `change_role.rs`, which asks the publisher
//!   again instead of calling `role_request.rs` to check it.
//!
//! **A scan** sends nothing to the server but the DNS query: `cli/scan/mod.rs` →
//! `cli/scan/single.rs` → [`evenkeel_client::Cluster`], whose crate documentation draws its part →
//! `cli/scan/results.rs` and `output.rs` print the verdict.
//!
//! Changes of health, overrides and roles are events (`events/event_log.rs`), for the log, the API
//! and notifications.
//!
//! # Modules
//!
//! | module | what it provides |
//! |---|---|
//! | [`cli`] | the command line: one file per command |
//! | [`daemon`] | the server as a whole: start, reload, stop |
//! | [`config`] | reads and checks the configuration, and the files that it names |
//! | [`listen`] | the sockets that answer queries: UDP, TCP, TLS, HTTPS, QUIC |
//! | [`health`] | the scheduler of probes, the publisher of snapshots, and the handles to them |
//! | `hickory` | the adapter for hickory-server, with the cargo feature of this name |
//! | [`monitor`] | the kinds of monitors and their probes: one file per kind |
//! | [`admin`] | the API and its client; overrides, nominations, auto-nomination |
//! | `state_dir` | overrides and health on disk |
//! | [`events`] | events, the event log, notifications |
//! | [`pool_config`] | a pool with its monitors and actions |
//! | [`role_action`] | the request or program that runs before a role changes |
//! | [`program`] | programs that are run for their exit code |
//! | [`tls`] | TLS as a client |
//! | `open_files` | the limit of open files, shared between probes and clients |
//! | [`signals`] | SIGHUP, SIGTERM and SIGINT |
//! | `clock` | the time, for what the core decides |
//! | `abort_on_panic` | a panic that ends the process |
//! | `log_throttle` | log lines that are written at most once per 10 s |
//! | `error_cause` | the cause at the bottom of an error |
//!
//! ARCHITECTURE.md draws which module uses which. The other crates of the workspace are
//! [`evenkeel_core`], [`evenkeel_client`] (for `scan` and `pin`) and [`evenkeel_fake_core`] (for
//! `demo` and `fake-core`).

mod abort_on_panic;
pub mod admin;
pub mod cli;
mod clock;
pub mod config;
pub mod daemon;
mod error_cause;
pub mod events;
pub mod health;
#[cfg(feature = "hickory")]
pub mod hickory;
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
