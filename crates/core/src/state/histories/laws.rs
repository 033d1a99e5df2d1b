//! The laws. Each function checks the laws of one subject.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::harness::{Moment, NODES, NodeMoment, Step, World};
use crate::health::Health;
use crate::pool::{ForcedState, Role, Verdict};

/// The outcome of a check.
type Outcome = Result<(), TestCaseError>;

impl NodeMoment {
    fn is_active(&self) -> bool {
        self.admin.role == Role::Active
    }

    /// It is up, by an operator or by its monitors.
    fn is_up(&self) -> bool {
        match self.admin.forced {
            Some(forced) => forced == ForcedState::Up,
            None => self.believed == Health::Up,
        }
    }

    /// It is down because of bad responses, and has no override.
    fn is_bad(&self) -> bool {
        self.admin.forced.is_none() && self.observed.bad_response_seq.is_some()
    }

    /// It is a backup by configuration that refuses work until it has been nominated.
    fn is_hot_backup(&self, world: &World) -> bool {
        world.has_standby && self.configured_role == Role::Backup
    }

    /// It may refuse work, because it has not served in its role.
    fn refuses(&self, world: &World) -> bool {
        world.has_standby && !self.admin.has_served && !self.is_up()
    }
}

impl Moment {
    /// Indices of the nodes for which a condition holds.
    fn indices(&self, condition: impl Fn(&NodeMoment) -> bool) -> Vec<usize> {
        (0..NODES).filter(|&i| condition(&self.nodes[i])).collect()
    }

    fn is_answered(&self, node: usize) -> bool {
        self.answered.contains(&node)
    }

    /// An active node is up.
    fn has_active_up(&self) -> bool {
        self.nodes.iter().any(|node| node.is_up() && node.is_active())
    }

    fn verdicts(&self) -> Vec<Verdict> {
        self.nodes.iter().map(|node| node.verdict).collect()
    }
}

/// Eligible nodes and answers.
pub(super) fn of_answers(world: &World, moment: &Moment) -> Outcome {
    let eligible = moment.indices(|node| node.verdict.is_eligible());
    prop_assert_eq!(&moment.answered, &eligible, "exactly the eligible nodes are answered");
    let out = moment.indices(|node| node.admin.is_drained_or_forced_down());
    prop_assert!(!out.iter().any(|&i| moment.is_answered(i)), "a node that is drained or forced down is not answered");
    let up = moment.indices(|node| node.is_up() && node.is_active());
    prop_assert!(up.iter().all(|&i| moment.is_answered(i)), "every active node that is up is answered");
    // A node that was replaced is better than no answer while the node that replaced it has not
    // served.
    let can_fail_open = |node: &NodeMoment| {
        let was_active = node.configured_role == Role::Active && node.believed == Health::Down;
        !node.admin.is_drained_or_forced_down() && (node.is_active() && !node.refuses(world) || was_active)
    };
    let has_answer = !moment.answered.is_empty() || !moment.nodes.iter().any(can_fail_open);
    prop_assert!(has_answer, "a pool that fails open has an answer");
    Ok(())
}

/// Nodes with bad responses, and the bound of ejections.
pub(super) fn of_ejections(world: &World, moment: &Moment) -> Outcome {
    if !moment.has_active_up() {
        return Ok(());
    }
    let bad = moment.indices(|node| node.is_active() && node.is_bad() && !node.refuses(world));
    let (capped, ejected): (Vec<usize>, Vec<usize>) = bad.into_iter().partition(|&i| moment.is_answered(i));
    let max_ejected = moment.max_ejected;
    prop_assert!(ejected.len() <= max_ejected, "at most max_ejected nodes are ejected");
    prop_assert!(capped.is_empty() || ejected.len() == max_ejected, "no ejection is capped below max_ejected");
    let others = moment.answered.iter().filter(|&&i| !moment.nodes[i].is_up());
    prop_assert!(others.eq(capped.iter()), "no other node is answered beside an active node that is up");
    Ok(())
}

/// Backups, and nodes that may refuse work.
pub(super) fn of_backups(world: &World, moment: &Moment) -> Outcome {
    let active_up = moment.indices(|node| node.is_up() && node.is_active());
    let is_needed = active_up.len() < world.min_available;
    for backup in moment.indices(|node| node.is_up() && !node.is_active()) {
        prop_assert_eq!(moment.is_answered(backup), is_needed, "a backup is answered if needed: {}", backup);
    }
    if active_up.is_empty() && moment.nodes.iter().any(NodeMoment::is_up) {
        let are_up = moment.answered.iter().all(|&i| moment.nodes[i].is_up());
        prop_assert!(are_up, "if only backups are up, only nodes that are up are answered");
    }
    // A replaced node may be answered if no active node is up.
    let waits =
        |node: &NodeMoment| node.refuses(world) && (node.configured_role == Role::Backup || moment.has_active_up());
    let is_premature = moment.answered.iter().any(|&i| waits(&moment.nodes[i]));
    prop_assert!(!is_premature, "no node that may refuse work is answered");
    Ok(())
}

/// Changes of roles, and observations from before a change.
pub(super) fn of_roles(world: &World, before: &Moment, after: &Moment) -> Outcome {
    prop_assert!(after.nodes.iter().any(NodeMoment::is_active), "at least one node is always active");
    let has_settled = after.nodes.iter().all(|node| node.has_settled);
    prop_assert_eq!(after.is_settling, !has_settled, "a role settles for exactly the settle time");
    for (before, node) in before.nodes.iter().zip(&after.nodes) {
        let (observed, is_stale) = (node.observed.health, node.believed != node.observed.health);
        if is_stale {
            prop_assert_eq!((observed, node.believed), (Health::Up, Health::Unknown), "stale health is unknown");
            let can_be_stale = node.is_hot_backup(world) && !node.has_settled;
            prop_assert!(can_be_stale, "observations are stale only while the role of a hot backup settles");
        }
        let role_changed = before.admin.role != node.admin.role;
        if role_changed && node.is_hot_backup(world) && observed == Health::Up {
            let was_promoted = !before.is_active() && before.has_settled && node.observed.standby != Health::Up;
            prop_assert_eq!(is_stale, !was_promoted, "a change of role makes observations stale, unless promoted");
        }
        let must_have_served = node.configured_role == Role::Active
            || before.admin.has_served && before.is_active()
            || observed == Health::Up && (node.has_settled || !world.has_standby);
        let has_served = node.is_active() && must_have_served;
        prop_assert_eq!(node.admin.has_served, has_served, "an active node has served once it is up and settled");
    }
    Ok(())
}

/// Steps that change nothing.
pub(super) fn of_steps(step: Step, before: &Moment, after: &Moment) -> Outcome {
    let changes_nothing = match step {
        Step::Reload => true,
        Step::Advance(_) => !before.is_settling,
        _ => false,
    };
    if changes_nothing {
        prop_assert_eq!(before.verdicts(), after.verdicts(), "{:?} changes nothing", step);
        prop_assert!(after.changes.is_empty(), "{:?} reports nothing: {:?}", step, after.changes);
    }
    Ok(())
}
