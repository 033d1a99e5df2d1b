//! Tests of the whole program: the real binary on port 0, asked by real clients.

mod check;
mod encrypted;
mod peers;
mod protocol;
mod reload;
mod shared_name;
mod support;
mod tcp;
