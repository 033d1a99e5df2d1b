//! Tests of the whole program: the real binary on port 0, asked by real clients.

mod check;
mod client;
mod cookie;
mod demo;
mod documents;
mod encrypted;
mod fake_core;
mod hostile;
mod monitors;
mod notifications;
mod operators;
mod peers;
mod protocol;
mod reload;
mod resolver;
mod rolling;
mod scale;
mod scan;
mod second_opinion;
mod shared_name;
mod shares;
mod signals;
mod spares;
mod support;
mod tcp;
mod verdicts;
