//! evenkeel: an authoritative DNS server that answers a cluster's shared name with its healthy
//! nodes.
//!
//! This crate is the server and the commands: sockets, probes, files and time. [`evenkeel_core`]
//! decides what is answered and which nodes are eligible, without I/O. `main.rs` calls
//! [`cli::run`].
//!
//! # The two paths
//!
//! A query reads one immutable snapshot. An observation that changes health ends in the next
//! snapshot.
//!
//! ```text
//!  packet                                                          response
//!    │                                                                ▲
//!    ▼                                                                │
//!  listen/udp.rs, tcp.rs, encrypted.rs ──► evenkeel_core::respond ────┘
//!                                            │ fast_path.rs: addresses of shared names
//!                                            │ answer.rs: everything else
//!                                            ▼
//!                               evenkeel_core::snapshot::Snapshot
//!                                            ▲
//!                                            │ the next snapshot
//!                                   health/publisher.rs ◄──► evenkeel_core::state
//!                                            ▲                counts results, and decides
//!                                            │ observations   which nodes are eligible
//!  timer ──► health/scheduler.rs ──► monitor/prober.rs
//! ```
//!
//! What else ends in a new snapshot:
//!
//! - **A drain**: `cli/drain.rs` → `admin/client.rs` → `admin/api.rs` →
//!   `admin/override_requests.rs` → `state_dir/override_store.rs` → `health/publisher.rs`. `force`
//!   and `resume` take the same path.
//! - **A reload**: SIGHUP → `daemon/reload.rs` → `config/load.rs` → `listen/endpoints.rs` →
//!   `daemon/adopt.rs` → `health/handles.rs` → `health/scheduler.rs` and `health/publisher.rs`. The
//!   start, `daemon/start.rs`, takes the same steps.
//! - **A nomination**: `cli/nominate.rs` → `admin/client.rs` → `admin/api.rs` →
//!   `admin/role_change.rs` → `role_action.rs` → `state_dir/override_store.rs` →
//!   `health/publisher.rs`. Without an operator, it begins in `admin/auto_nominate.rs`.
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
//! | [`monitor`] | the kinds of monitors and their probes: one file per kind |
//! | [`admin`] | the API and its client; overrides, nominations, auto-nomination |
//! | `state_dir` | overrides and health on disk |
//! | [`events`] | events, the event log, notifications |
//! | [`pool_config`], [`role_action`] | a pool with its monitors and actions; what runs before a role changes |
//! | [`program`], [`tls`] | programs that are run for their exit code; TLS as a client |
//! | `open_files`, [`signals`], `clock` | the limit of open files; SIGHUP, SIGTERM and SIGINT; the time |
//! | `abort_on_panic`, `log_throttle`, `error_cause` | panics that end the process; bounded log lines; the cause of an error |
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
