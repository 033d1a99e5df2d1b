//! A request to change the role of a node: what it does to the pool, whether it is allowed, whether
//! its action runs, and its events.
//!
//! The API and `auto_nominate` make requests, and `change_role` carries them out. A request that is
//! refused is an [`AdminError`].

use evenkeel_core::actor::Actor;
use evenkeel_core::health::Health;
use evenkeel_core::node_id::NodeId;
use evenkeel_core::overrides::{Nomination, Overrides, RoleError, RoleUpdate};
use evenkeel_core::pool::{Pool, Role};
use evenkeel_core::status::{AddressStatus, NodeStatus, PoolStatus};

use super::error::AdminError;
use super::service::check_min_available;
use crate::clock::unix_now;
use crate::events::{Event, EventKind};
use crate::role_action::{RoleAction, RoleActions};

/// A request to change the role of a node.
#[derive(Clone, Debug)]
pub struct RoleRequest {
    /// The node.
    pub node: NodeId,
    /// The change.
    pub change: RoleChange,
    /// Who asks.
    pub by: Actor,
    /// Why; may be empty.
    pub why: String,
    /// Unix time at which the nomination ends without a command, in seconds.
    pub until: Option<u64>,
    /// Change the role even if neither the monitors nor the standby monitors find the backup up, or
    /// too few active nodes are left.
    pub force: bool,
    /// Change the role only, without the configured action.
    pub without_action: bool,
    /// Change the role only if the pool still needs it when the change begins.
    pub only_if_needed: bool,
}

/// A change of a role.
#[derive(Clone, Debug)]
pub enum RoleChange {
    /// The node becomes active, in the place of another node of the pool if one is named.
    Nominate {
        /// The other node.
        replaces: Option<String>,
    },
    /// The node becomes a backup again, as in the configuration.
    Demote,
}

/// What runs before the role changes.
#[derive(Clone, Copy, Debug)]
pub(super) enum ActionStep<'p> {
    /// No action is configured.
    None,
    /// The configured action is skipped, for this reason.
    Skip(&'static str),
    /// The configured action runs.
    Run(&'p RoleAction),
}

impl RoleRequest {
    /// The nomination that the request makes.
    fn nomination(&self) -> Nomination {
        let (by, why, until) = (self.by.clone(), self.why.clone(), self.until);
        Nomination { role: Role::Active, partner: None, by, why, at: unix_now(), until }
    }

    /// What the request does to the roles of a pool.
    pub(super) fn update(&self, overrides: &Overrides, pool: &Pool) -> Result<RoleUpdate, RoleError> {
        match &self.change {
            RoleChange::Nominate { replaces } => {
                overrides.nominate(pool, self.node.node(), replaces.as_deref(), &self.nomination())
            }
            RoleChange::Demote => overrides.demote(pool, self.node.node()),
        }
    }

    /// What runs first. A backup that was promoted already, for example by another server, only
    /// needs its role.
    pub(super) fn action_step<'p>(
        &self,
        actions: &'p RoleActions,
        backup: &NodeStatus,
        update: &RoleUpdate,
    ) -> ActionStep<'p> {
        let is_demotion = matches!(self.change, RoleChange::Demote);
        let action = if is_demotion { &actions.demote } else { &actions.nominate };
        match action {
            None => ActionStep::None,
            Some(_) if self.without_action => ActionStep::Skip("skipped as requested"),
            Some(_) if is_demotion && update.backup.is_empty() => {
                ActionStep::Skip("skipped, because it is active by configuration")
            }
            Some(_) if backup.promoted => ActionStep::Skip("skipped, because it serves already"),
            Some(action) => ActionStep::Run(action),
        }
    }

    /// The events of an update; the event of the requested node is the first.
    pub(super) fn events(&self, pool: &Pool, update: &RoleUpdate, step: ActionStep<'_>) -> Vec<Event> {
        let circumstances = self.nomination().circumstances();
        let note = if let ActionStep::Skip(why) = step { format!("; the action is {why}") } else { String::new() };
        let event = |role: Role, node: &str| {
            let id = pool.id_of(node);
            let text = if id == self.node {
                format!("{}{circumstances}{note}", self.change.in_words())
            } else {
                let role = if role == Role::Active { "active" } else { "a backup" };
                format!("{role} from now on, as {} is {}{circumstances}", self.node, self.change.done())
            };
            Event::of_node(EventKind::Nomination, role.into(), &id, &text).caused_by(&self.by)
        };
        let active = update.active.iter().map(|node| event(Role::Active, node));
        let backup = update.backup.iter().map(|node| event(Role::Backup, node));
        let mut events: Vec<_> = active.chain(backup).collect();
        events.sort_by_key(|event| event.node.as_deref() != Some(self.node.node()));
        events
    }

    /// Checks that enough active nodes are left, and that the monitors or the standby monitors find
    /// a backup to nominate up.
    pub(super) fn check(&self, pool: &PoolStatus, backup: &NodeStatus, update: &RoleUpdate) -> Result<(), AdminError> {
        let find = |name: &String| pool.nodes.iter().find(|node| node.name == *name);
        let leaving = update.backup.iter().filter_map(find).filter(|node| node.up).count();
        let serves = |node: &&NodeStatus| {
            node.r#override.is_none() && node.addresses.iter().any(|address| address.health == Health::Up)
        };
        let joining = update.active.iter().filter_map(find).filter(serves).count();
        if leaving > 0 {
            check_min_available(pool, pool.available.saturating_sub(leaving) + joining)?;
        }
        let is_up = backup.addresses.iter().any(AddressStatus::is_up_or_standby_up);
        if matches!(self.change, RoleChange::Nominate { .. }) && !is_up {
            let why = backup.addresses.first().map(|address| address.why.clone()).unwrap_or_default();
            return Err(AdminError::BackupNotUp { node: self.node.clone(), why });
        }
        Ok(())
    }
}

impl RoleChange {
    /// The change as a participle: nominated.
    pub(super) fn done(&self) -> &'static str {
        match self {
            Self::Nominate { .. } => "nominated",
            Self::Demote => "demoted",
        }
    }

    /// The change in words: nominated to replace core-2.
    fn in_words(&self) -> String {
        match self {
            Self::Nominate { replaces: Some(replaced) } => format!("nominated to replace {replaced}"),
            change => change.done().to_owned(),
        }
    }
}
