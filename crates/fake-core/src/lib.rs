//! A fake [MetaDefender Core](https://www.opswat.com/products/metadefender/core) node for tests, CI
//! and the demo of evenkeel.
//!
//! It serves the REST API of one node as far as scans, readiness and hot backup go, and fails on
//! request. [`FakeCore`] is the entry point:
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use evenkeel_fake_core::FakeCore;
//!
//! let node = FakeCore::new("core-1").with_faults(r#"{"scan_ms": 0}"#)?;
//! let address = node.clone().listen("127.0.0.1:0".parse()?).await?;
//! println!("POST http://{address}/file");
//! assert_eq!(node.counters().wrong_node, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```
//!
//! | request | response |
//! |---|---|
//! | `POST /file` | accepts a file and starts its scan: `data_id` |
//! | `GET /file/{data_id}` | progress and result; the EICAR test string is infected |
//! | `POST /file/{data_id}/cancel` | cancels a scan; also accepted for a batch |
//! | `GET /hash/{hash}` | the result of the latest file with this MD5, SHA-1 or SHA-256 |
//! | `GET /file/converted/{data_id}` | the sanitized copy of a file that was sent with the rule `sanitize` |
//! | `GET /file/webhook/{id}` | the latest attempt of a callback |
//! | `GET /file/rules` | the rules of the header `rule`, for the client's `user_agent` |
//! | `POST /file/batch` | opens a batch: `batch_id`, which uploads carry in the header `batch` |
//! | `GET /file/batch/{id}` | progress and result of a batch, with 50 of its files per page (`first`, `size`) |
//! | `POST /file/batch/{id}/close`, `…/cancel` | ends a batch; close is refused while a scan is in progress |
//! | `POST /file/batch/{id}/close/callback` | closes a batch when its files are scanned, and sends the report |
//! | `GET /file/batch/{id}/certificate` | the signed result of a closed batch |
//! | `GET /readyz` | 200 or the configured status, with the checks behind it as JSON |
//! | `GET /version`, `GET /stat/nodes` | what real nodes report |
//! | `POST /login`, `POST /logout` | a `session_id`, which is accepted as API key |
//! | `GET /admin/license`, `POST …/activation` | the license; activates a node that is not a hot backup |
//! | `GET /admin/license/backup` | whether the node is a hot backup |
//! | `POST`, `DELETE /admin/license/backup` | registers an unlicensed node as a hot backup, or unregisters a hot backup |
//! | `POST /admin/license/backup/nomination` | makes a hot backup active; 400 if the node is not one |
//! | `GET /_fake` | current faults and counters |
//! | `PUT /_fake` | sets faults from a JSON object; members that are left out keep their values |
//!
//! # Where it differs from real nodes
//! A hot backup answers `/readyz` with 200: the behaviour of real backups is unknown, and 200 is
//! the harder case for a health check. It refuses scans.
//!
//! Every identifier starts with a hash of the name and address of the node that issued it. A node
//! can therefore recognise an identifier of another node, and counts the request as `wrong_node`.
//!
//! # Modules, from the bottom
//! - `faults`: the values that tests set. `connection`: TCP streams that a handler can reset.
//!   `upload`: reading a file. `headers`, `rules`, `submission`: the headers of an upload.
//!   `identifier`: what a path names. `response`: errors as JSON.
//! - `outage`: how the node becomes unreachable. `license`: whether it takes scans. `store`: files
//!   and batches. `engines`, `report`: their JSON.
//! - `node`: [`FakeCore`] and the state behind it. `callback`: reports that the node sends.
//! - `sessions`, `files`, `batches`, `licensing`, `admin`, `control`: the handlers. `api`: their
//!   routes.
//! - `server`: the listening side.

mod admin;
mod api;
mod batches;
mod callback;
mod connection;
mod control;
mod engines;
mod faults;
mod files;
mod headers;
mod identifier;
mod license;
mod licensing;
mod node;
mod outage;
mod report;
mod response;
mod rules;
mod server;
mod sessions;
mod store;
mod submission;
mod upload;

pub use faults::FaultsError;
pub use node::{Certificates, Counters, FakeCore};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
