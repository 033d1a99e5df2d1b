//! The state of every pool: what observations say, what operators say, and what follows for answers.
//!
//! [`PoolStates`] is the one owner. The publisher of the server hands it observations, overrides and
//! configurations, one after the other, and stores the views that it decides. It does no I/O and reads
//! no clock, so property tests drive it through random histories.
//!
//! In reading order: [`PoolStates::observe`] updates the trackers (`targets`) and the health of the
//! addresses that they concern; [`PoolState`] holds nodes and addresses (`pool_state`), applies roles
//! and overrides (`roles`), and decides; `reload` carries a pool across a reload, `remembered` across a
//! restart (`previous` is what it was before). `auto_nominate` finds backups to nominate, `pool_status` puts a pool into words.

mod address_state;
mod auto_nominate;
#[cfg(test)]
mod histories;
mod pool_state;
mod pool_states;
mod pool_status;
mod previous;
mod reload;
mod remembered;
mod roles;
mod targets;

pub use address_state::AddressState;
pub use auto_nominate::Nominees;
pub use pool_state::{NodeState, PoolState, StateChange};
pub use pool_states::{HealthTransition, ObservationEffect, PoolStates};
pub use previous::PreviousPool;
pub use remembered::RememberedHealth;
pub use targets::{AddressIndex, AddressTargets, Limits, Observation, TargetId};
