//! Laws over random histories: probes succeed and fail, overrides are set and removed, roles
//! change, the configuration is loaded again, and time passes.
//!
//! In reading order: `harness` has the pool, the steps of a history, and the clocks. `laws` has the
//! laws, which are checked after every step.

mod harness;
mod laws;

use proptest::prelude::*;

use harness::{Harness, any_world};

proptest! {
    #[test]
    fn the_laws_hold_after_every_step_of_a_history(world in any_world()) {
        let mut harness = Harness::new(world.clone());
        let mut before = harness.decide();
        for &(node, step) in &world.steps {
            harness.carry_out(node, step);
            let after = harness.decide();
            laws::of_answers(&world, &after)?;
            laws::of_ejections(&world, &after)?;
            laws::of_backups(&world, &after)?;
            laws::of_roles(&world, &before, &after)?;
            laws::of_steps(step, &before, &after)?;
            before = after;
        }
    }
}
