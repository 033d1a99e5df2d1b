//! Client for a cluster of [MetaDefender Core](https://www.opswat.com/products/metadefender/core)
//! nodes behind one DNS name.
//!
//! A session (all requests about one file or one batch) exists on one node only. For each session,
//! this crate resolves the shared name once, draws a node, and sends all requests of the session to
//! it. The next session draws again; that spreads sessions over the nodes.
//!
//! ```no_run
//! # async fn scan() -> Result<(), evenkeel_client::Error> {
//! use evenkeel_client::{Cluster, Source, Verdict};
//!
//! let cluster = Cluster::new("http://core.lb.example:8008")?;
//! let scan = cluster.scan(&mut Source::path("invoice.pdf")).await?;
//! let report = scan.result().await?;
//! assert_eq!(report.verdict, Verdict::Allowed);
//! # Ok(())
//! # }
//! ```
//!
//! # The path of a session
//!
//! ```text
//!  Cluster
//!     │
//!  cluster                                             file_scan, batch           report
//!  search ──► resolve ──► pin ──► api, exchange ─────► api, exchange ───────────► verdict
//!     ▲                    │       POST /file           GET /file/{id}             Report
//!     │                    │       POST /file/batch     POST …/close               BatchStatus
//!     └─────── skip ◄──────┤
//!       unreachable, busy, └────── once a session exists, all requests reach this node
//!       wrong certificate
//! ```
//!
//! Each request is a function of `api`, which names its path, headers and reply; `exchange` sends
//! it and decides what a failure means. Until a session exists, nodes are skipped. From then on
//! nothing moves to another node, because no other node knows the session: if its node is gone, the
//! result is an [`Error`] that names the node.
//!
//! Futures can be dropped at any time; what they were doing ends there.
//!
//! # Reading order
//!
//! | modules | what they provide |
//! |---|---|
//! | `builder`, `cluster` | set-up; start and resume sessions |
//! | `file_scan`, `batch` | the sessions, with their polls |
//! | `search`, `registration` | the search for a node that accepts a session; the time until the node knows it |
//! | `api`, `exchange`, `transfer`, `response_text` | the REST calls; retries and errors; one request; texts of responses |
//! | `pin`, `ticket`, `source`, `body`, `file_chunks`, `file_version` | one node; a session as text; what is sent |
//! | `cluster_state`, `connections`, `options`, `scan_options` | what all sessions share |
//! | `report`, `sanitized`, `error`, `skip`, `session_id` | what comes back |
//! | `resolve`, `tls`, `cookie`, `backoff` | lookup, certificates, balancer cookies, delays |
//!
//! A module uses only modules of its own line and of the lines below.

mod api;
mod backoff;
mod batch;
mod body;
mod builder;
mod cluster;
mod cluster_state;
mod connections;
mod cookie;
mod error;
mod exchange;
mod file_chunks;
mod file_scan;
mod file_version;
mod options;
mod pin;
mod registration;
mod report;
mod resolve;
mod response_text;
mod sanitized;
mod scan_options;
mod search;
mod session_id;
mod skip;
mod source;
mod ticket;
mod tls;
mod transfer;

pub use batch::{CloseError, ClosedBatch, OpenBatch};
pub use builder::ClusterBuilder;
pub use cluster::{Cluster, ResumedSession, ScanEvent};
pub use error::{Error, SessionRef};
pub use file_scan::FileScan;
pub use file_version::FileVersion;
pub use options::Affinity;
pub use pin::Pin;
pub use report::{BatchStatus, FileStatus, Hashes, Progress, Report, Verdict};
pub use resolve::ResolveError;
pub use sanitized::SanitizedFile;
pub use scan_options::ScanOptions;
pub use skip::{SkipReason, SkippedNode};
pub use source::Source;
pub use ticket::Ticket;

// Types of other crates in the signatures above, for callers that do not depend on those crates.
pub use bytes::Bytes;
pub use reqwest::{Method, RequestBuilder, Url};
pub use rustls::pki_types::{CertificateDer, PrivateKeyDer};
pub use serde_json::Value;

/// Runs the examples of the README as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
