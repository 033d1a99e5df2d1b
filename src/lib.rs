//! evenkeel: an authoritative DNS server that answers a cluster's shared name with its healthy nodes.
//!
//! # The two paths
//! ```text
//!  PATH OF A QUERY                                   PATH OF AN OBSERVATION
//!
//!  dns::udp, dns::tcp     dns::encrypted             health::scheduler   when to probe
//!     │ packet               │ hickory's listeners      │
//!     ▼                      ▼                          ▼
//!  dns::respond ◄──── dns::hickory (adapter)         health::probe       one attempt, a reason
//!     │ dns::query, dns::edns   what is asked           │ Observation
//!     ▼                                                 ▼
//!  dns::fast ──────────► serving::Serving ◄──────── health::publisher   the one task that stores snapshots
//!     │ else                ▲   one ArcSwap load a batch  │ health::table, health::tracker   who flips
//!     ▼                     │                             │ pool::decide                     who may be answered
//!  dns::answer ─────────────┘
//!     │   zone::lookup, pool::select
//!     ▼
//!  dns::encode            within the limit of the transport
//! ```
//! A query reads one immutable [`serving::Serving`] and shares nothing else with anybody. Observations become
//! transitions in one task, which stores the next snapshot. `dns::answer` is a pure function of question, snapshot
//! and random numbers: it defines what is answered, on every transport. `dns::fast` answers what nearly everybody asks,
//! the addresses of shared names, in one step and to the same bytes, since a balancer must not be the bottleneck; it
//! leaves everything else to the definition, which takes a little longer beside what the system takes for a packet in and one
//! out (docs/benchmarks has the figures). Both count what they answer in `dns::tally`.
//!
//! # The rest
//! [`admin`] takes what operators say and ask, [`overrides`] keeps it, [`events`] tells what happened, also to webhooks and
//! programs; [`action`] is what is done to a node before its role changes, [`program`] how programs are run.
//! [`config`] reads files until nothing impossible is left, [`diagnostic`] shows what is wrong with them; [`daemon`]
//! starts, reloads and stops everything, [`signals`] are what it waits for, `vital` ends the process when something vital panics; [`cli`] has one file a command; `evenkeel_client` is the other
//! half of balancing, which stays on the node it got; [`fake_core`] is a node to try it with.
//!
//! # Words
//! A *pool* is a set of *nodes* that can replace each other; a *monitor* is a configured check, a *probe* one attempt
//! of it, an *observation* its result. *Health* (up, down, unknown) is what observations say of an address;
//! an *override* is what an operator says instead, a *nomination* a role that an operator gives;
//! *eligible* is who may be answered, *selected* who is. An *event* is something that happened, in words and data.
//! A *generation* is the number of a loaded configuration; a *snapshot* is what queries read.

pub mod action;
pub mod admin;
mod cause;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod diagnostic;
pub mod dns;
pub mod events;
pub mod fake_core;
pub mod health;
pub mod name;
mod open_files;
pub mod overrides;
pub mod pool;
pub mod program;
mod seldom;
pub mod serving;
pub mod signals;
mod state;
pub mod status;
pub mod tls;
mod vital;
pub mod zone;
