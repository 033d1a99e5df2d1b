//! The state of all pools: health, overrides and roles, and the verdicts that follow from them.
//!
//! [`PoolStates`] owns it. The publisher of the server passes observations, overrides and
//! configurations to it, one after the other, and puts the views that it returns into snapshots. It
//! does no I/O and reads no clock, so a property test (`histories`) drives it through random
//! histories. It cannot fail.
//!
//! In reading order:
//!
//! 1. `targets` has a tracker per target, updates it after an observation, and combines the targets
//!    of an address
//! 2. `address_state` keeps the combined health of an address
//! 3. `pool_state` holds nodes and addresses, and decides; `apply_overrides` applies overrides and
//!    nominations
//! 4. `pool_states` holds all pools: it is the interface for the publisher
//! 5. `carry_over` carries a pool across a reload, as a `previous` pool; `remembered` survives a
//!    restart
//! 6. `auto_nominate` finds backups to nominate; `pool_status` describes a pool for users

mod address_state;
mod apply_overrides;
mod auto_nominate;
mod carry_over;
#[cfg(test)]
mod histories;
mod pool_state;
mod pool_states;
mod pool_status;
mod previous;
mod remembered;
mod targets;

pub use address_state::AddressState;
pub use auto_nominate::Nominees;
pub use pool_state::{NodeState, PoolState, StateChange};
pub use pool_states::{HealthTransition, ObservationEffect, PoolStates};
pub use previous::PreviousPool;
pub use remembered::RememberedHealth;
pub use targets::{AddressIndex, AddressTargets, Limits, Observation, TargetId};
