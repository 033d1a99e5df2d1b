//! The client's half of DNS balancing: resolve the shared name once, then stay on the node.
//!
//! A session (the upload of a file and the questions about it, or all calls of a batch) lives on one node. So every session
//! is begun anew at a node that is drawn from the shared name's addresses, and everything that follows in it goes there:
//!
//! ```text
//!  Cluster ── resolve once, draw ──► Pin ── POST /file ───────► FileScan ── GET … ──► Report
//!     ▲                               │
//!     │ dead or too busy: the next    └─── POST /file/batch ──► OpenBatch ── close ──► ClosedBatch
//!     └────── (before anything of the session exists)
//! ```
//!
//! Afterwards nothing moves: no other node knows the session. When its node is gone, that is an [`Error`] that names it.
//!
//! In reading order: `options` sets up a `cluster`, which lets a `search` ask `resolve` and gives a `pin`; `exchange` sends over it
//! what a `source` has and bounds what comes back; `file_scan` and `batch` are the sessions, `report` what nodes say of them, `ticket` how
//! another process takes one up; `cookie` is how a balancer keeps one together.
//!
//! ```no_run
//! # async fn scan() -> Result<(), evenkeel_client::Error> {
//! use evenkeel_client::{Cluster, Source, Verdict};
//!
//! let cluster = Cluster::new_at("http://core.lb.example:8008")?;
//! let scan = cluster.scan(&mut Source::path("invoice.pdf")).await?;
//! let report = scan.result().await?;
//! assert_eq!(report.verdict, Verdict::Allowed);
//! # Ok(())
//! # }
//! ```

mod backoff;
mod batch;
mod cluster;
mod cookie;
mod error;
mod exchange;
mod file_scan;
mod options;
mod pin;
mod report;
mod resolve;
mod search;
mod source;
mod ticket;
mod tls;

pub use batch::{ClosedBatch, NotClosed, OpenBatch};
pub use cluster::{Cluster, Step, TakenUp};
pub use error::{At, Error, Tried};
pub use file_scan::FileScan;
pub use options::{Affinity, Builder};
pub use pin::Pin;
pub use report::{BatchStatus, FileStatus, Progress, Report, Verdict};
pub use source::Source;
pub use ticket::Ticket;

// What these types are made of, for those who have no version of their own.
pub use bytes::Bytes;
pub use reqwest::{Method, RequestBuilder, Url};
pub use rustls::pki_types::CertificateDer;
