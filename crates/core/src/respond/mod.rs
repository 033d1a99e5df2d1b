//! One packet in, one packet out: parse, answer, encode. Every transport calls [`Responder::respond`].
//!
//! [`answer()`] defines what is answered; `fast_path` writes the same bytes for the addresses of shared
//! names, in one step. A property test (`equality`) and a fuzzer hold the two to the same bytes.

mod answer;
#[cfg(test)]
mod equality;
mod fast_path;
mod responder;
#[cfg(test)]
mod tests;
mod worker_state;

pub use answer::answer;
pub use responder::{Responder, Transport};
