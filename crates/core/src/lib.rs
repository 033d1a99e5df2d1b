//! The pure part of evenkeel: which addresses it answers, why, and in which bytes.
//!
//! The crate does no I/O, starts no task and reads no clock. Packets, probe results, overrides,
//! moments and zone files are arguments; responses, verdicts and diagnostics are results. The
//! server in the crate `evenkeel` adds sockets, tasks and files.
//!
//! # The two paths
//!
//! An observation changes the snapshot, a query reads it:
//!
//! ```text
//!  result of a probe                                packet with a query
//!        │                                                   │
//!        ▼                                                   ▼
//!  state::PoolStates::observe                    respond::Responder::respond
//!        │  counts: health::Tracker; combines the            │
//!        │  targets: state::AddressState                     │
//!        ┆  later, for the pools that have changed           ▼
//!        ▼                                            message::parse
//!  state::PoolStates::decide ◄── overrides::Overrides        │
//!        │  applies overrides                                ▼
//!        ▼                                        address of a shared name?
//!  pool::decide                                         │          │
//!        │  sets a Verdict per address               yes│          │no
//!        ▼                                              ▼          ▼
//!  pool::PoolView                                   fast path   respond::answer
//!        │  the eligible addresses                      │          │  zone::Zones::find
//!        ▼                                              │          │  zone::Zone::lookup
//!  snapshot::Snapshot ═════════ is read by ════════════►│          │
//!        ▲                                              │          ▼
//!        │  zones and shared names                      │     message::encode
//!  snapshot::SnapshotConfig                             │          │
//!        ▲                                              ▼          ▼
//!        │                                          packet with the response
//!  zone::load, zone::Zones
//! ```
//!
//! The fast path and `respond::answer` both draw the nodes of a response with
//! [`pool::Candidates::draw`]. The publisher of the server runs the path of the left side, and
//! stores each snapshot behind the pointer that workers read.
//!
//! # Modules
//!
//! In layers, from the bottom up: a module uses only modules of the layers before it.
//!
//! | layer | module | contents |
//! |---|---|---|
//! | 1 | [`name`] | domain names: wire format, text, comparison |
//! | | [`node_id`] | the identity of a node, `pool/node` |
//! | | [`actor`] | the cause of a change: an operator or the server |
//! | | [`time`] | moments, as arguments |
//! | | [`diagnostic`] | problems of configurations and zone files, with their place |
//! | | [`health`] | results of probes, and the tracker that counts them |
//! | | [`clients`] | cookies, and the rate limit |
//! | 2 | [`zone`] | zone files, zones and lookups |
//! | | [`pool`] | pools, the decision which addresses are eligible, and the draw |
//! | 3 | [`message`] | DNS messages: parser, answers, encoder |
//! | | [`overrides`] | overrides and nominations, and how they change roles |
//! | 4 | [`counters`] | counters of responses and records |
//! | 5 | [`snapshot`] | the immutable data that queries read |
//! | | [`status`] | the status of the server, as the API shows it |
//! | 6 | [`respond`] | responses to packets: fast path and slow path |
//! | | [`state`] | the state of all pools, from observations to views |
//!
//! # Example
//!
//! A zone from text with a shared name, a pool whose node is up, and the response to one query:
//!
//! ```
//! # use std::path::Path;
//! # use evenkeel_core::counters::{Counters, NodeNumbers, Protocol};
//! # use evenkeel_core::diagnostic::{Diagnostics, Source};
//! # use evenkeel_core::health::Health;
//! # use evenkeel_core::name::Name;
//! # use evenkeel_core::pool::{Node, Pool, Role, decide};
//! # use evenkeel_core::respond::{Responder, Transport};
//! # use evenkeel_core::snapshot::{Snapshot, SnapshotConfig};
//! # use evenkeel_core::zone::{NoIncludes, SharedName, Zones, load};
//! # const TEXT: &str = "$TTL 60\n@ SOA ns1 ops 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.53\n";
//! # let (text, path) = (Source::from_text("lb.zone", TEXT), Path::new("lb.zone"));
//! # let (apex, name) = (Name::parse("lb.example")?, Name::parse("core.lb.example")?);
//! # let addresses = vec!["192.0.2.1".parse()?];
//! # let nodes = vec![Node { name: "core-1".into(), addresses, weight: 1, role: Role::Active }];
//! # let pool = Pool::with_defaults("core", nodes);
//! # let (mut problems, mut rng) = (Diagnostics::default(), fastrand::Rng::new());
//! # let mut responder = Responder::new(Counters::default().worker(Protocol::Udp));
//! # let header = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
//! # let query = [&header, name.as_wire(), &[0, 1, 0, 1]].concat();
//! # let mut response = Vec::new();
//! let mut zone = load(text, path, &apex, &NoIncludes, &mut problems).expect("a zone without errors");
//! zone.share(&name, SharedName { pool: 0, ttl: 5, answers: 8 }).expect("a name without addresses");
//! let view = decide(&pool, &mut pool.undecided(|_node, _address| Health::Up.into()), &mut rng).view;
//! let config = SnapshotConfig::new(Zones::new(vec![zone]), None, NodeNumbers::default());
//! let snapshot = Snapshot { generation: 1, config: config.into(), pools: vec![view.into()] };
//!
//! assert!(responder.respond(&query, Transport::Udp, &snapshot, &mut response));
//! assert!(response.ends_with(&[192, 0, 2, 1]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod actor;
pub mod clients;
pub mod counters;
pub mod diagnostic;
pub mod health;
pub mod message;
pub mod name;
pub mod node_id;
pub mod overrides;
pub mod plural;
pub mod pool;
pub mod respond;
pub mod snapshot;
pub mod state;
pub mod status;
pub mod time;
pub mod zone;
