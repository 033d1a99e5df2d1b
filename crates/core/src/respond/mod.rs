//! Responses to packets. The endpoints of the server call [`Responder::respond`] for all protocols.
//!
//! In reading order:
//!
//! 1. `responder` parses a packet and chooses a path; `admission` decides whether its `client` gets
//!    an answer, `transport` bounds the response, and `worker_state` has random numbers and counters
//! 2. [`answer()`] defines the answer, with its `additional` records and `synthesized` names: the
//!    slow path encodes it
//! 3. `fast_path` writes the same bytes in one step, for the addresses of shared names
//!
//! A property test (`equality`) and a fuzz target check that both paths give the same bytes. No
//! packet makes the responder panic.

mod additional;
mod admission;
mod answer;
mod client;
#[cfg(test)]
mod equality;
mod fast_path;
mod responder;
mod synthesized;
#[cfg(test)]
mod tests;
mod transport;
mod worker_state;

pub use answer::answer;
pub use client::{Client, Sender};
pub use responder::Responder;
pub use synthesized::SynthesizedNames;
pub use transport::Transport;
