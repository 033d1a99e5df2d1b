//! Tests of the whole program: the built binary on free ports, with real clients.
//!
//! There is one module per topic; `support` has the helpers. `tests/needs` lists the programs that
//! tests need.

mod agent_checks;
mod backups;
mod check;
mod client;
mod cookie_affinity;
mod cookies;
mod core_api;
mod core_double;
mod counters;
mod demo;
mod descriptors;
mod dig;
mod dns_over_https;
mod dns_over_quic;
mod documents;
mod encrypted;
mod encrypted_floods;
mod encrypted_limits;
mod endurance;
mod events;
mod fake_core;
mod fake_core_license;
mod fake_core_sessions;
mod fragments;
mod hot_backup_flow;
mod malformed_packets;
mod monitors;
mod needs;
mod operators;
mod overload;
mod peers;
mod protocol;
mod recipes;
mod reload;
mod resolver;
mod restarts;
mod rolling_restart;
mod scale;
mod scan;
mod shared_name;
mod shares;
mod signals;
mod support;
mod tcp;
mod unresolved_hosts;
mod verdicts;
mod zone_spellings;
