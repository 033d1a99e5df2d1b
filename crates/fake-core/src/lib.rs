//! A Core node for the demo, for tests and for others' CI: its API as far as scans, readiness and hot backup go, and
//! faults on request.
//!
//! | request | answer |
//! |---|---|
//! | `POST /file` | takes a file, whose scan begins: its `data_id` |
//! | `GET /file/{data_id}` | how far it is, and what was found; the EICAR test string is infected |
//! | `POST /file/batch` | opens a batch: its `batch_id`, which files name in the header `batch` |
//! | `GET /file/batch/{id}` | how far its files are |
//! | `POST /file/batch/{id}/close`, `…/cancel` | ends it; closing is refused while files are in progress |
//! | `GET /file/batch/{id}/certificate` | the signed result of a closed batch |
//! | `GET /readyz` | 200 or the status that was set, with the checks behind it as JSON |
//! | `GET /version`, `GET /stat/nodes`, `POST /login` | what they say of a node |
//! | `GET /admin/license/backup` | whether it is a hot backup |
//! | `POST`, `DELETE /admin/license/backup` | makes it one, or an ordinary node |
//! | `POST /admin/license/backup/nomination` | makes an active node of a hot backup, or 400 |
//! | `GET /_fake` | the faults that are set, and what was counted |
//! | `PUT /_fake` | sets faults from a JSON object; what is left out stays as it is |
//!
//! In reading order: `sessions` (single files and batches) over a `store`, `upload` reads what is sent, `admin` the rest of
//! the API, `faults` what can be wrong, `gate` where connections meet it.
//!
//! A hot backup says that it is ready all the same: what real ones say is not known, and this is the harder case. It
//! refuses scans.
//!
//! Identifiers begin with a mark of the name and address of the node that gave them, so that a node knows when it is asked for another one's
//! session: it counts that as `wrong_node`.

mod admin;
mod api;
mod connection;
mod control;
mod faults;
mod node;
mod outage;
mod response;
mod server;
mod sessions;
mod store;
mod upload;

pub use node::{Certificates, Counters, FakeCore};
