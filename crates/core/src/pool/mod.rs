//! Pools: nodes that can replace each other, and the choice of the nodes that go into an answer.
//!
//! In reading order:
//!
//! 1. `role`, `node` and `pool` are the configuration; `admin_state` is what operators set in
//!    addition
//! 2. `verdict` is the outcome for one address, `node_decision` is the input for a node and the
//!    verdicts on it
//! 3. [`decide()`] sets the verdicts from configuration, health and overrides
//! 4. `view` gathers the eligible addresses for queries: the [`PoolView`]
//! 5. `draw` draws the nodes of one response from a view
//!
//! [`crate::state`] calls [`decide()`] after each change, [`crate::respond`] draws. Both always
//! succeed.

mod admin_state;
mod decide;
mod draw;
mod node;
mod node_decision;
#[allow(clippy::module_inception, reason = "the file is named for its type")]
mod pool;
mod role;
#[cfg(test)]
mod tests;
mod verdict;
mod view;

pub use admin_state::{AdminState, ForcedState};
pub use decide::{Decision, decide};
pub use draw::{Candidates, Drawn, FAMILY_V4, FAMILY_V6, Pick};
pub use node::Node;
pub use node_decision::{AddressDecision, NodeDecision};
pub use pool::{AutoNominate, NodeCount, Pool, WhenEmpty};
pub use role::Role;
pub use verdict::{SelectionTier, Verdict};
pub use view::PoolView;
