//! Tests of the whole program: the real binary on port 0, asked by real clients.

mod peers;
mod protocol;
mod shared_name;
mod support;
mod tcp;
