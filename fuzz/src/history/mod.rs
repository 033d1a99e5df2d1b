//! Random histories of two pools: what happens, a server that decides, and the laws that hold at
//! every moment.
//!
//! They are those of the property tests in `crates/core/src/state/histories`, over pools of more
//! shapes, reloads with changes, restarts, and clocks that move.

mod laws;
mod server;
mod world;

pub use server::check_history;
pub use world::World;
