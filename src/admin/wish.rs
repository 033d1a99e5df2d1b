//! A change of roles that somebody asks for: what it means for a pool, whether it may be, and how it is told.

use super::operator::{Refused, enough, event};
use crate::action::Action;
use crate::events::{Event, Kind};
use crate::health::Health;
use crate::overrides::{Change, Nomination, NotPossible, Overrides, full_name, now};
use crate::pool::{Pool, Role};
use crate::status::{AddressStatus, NodeStatus, PoolStatus};

/// A change of roles that is asked for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// `pool/node`.
    pub name: String,
    /// What to do with it.
    pub step: Step,
    /// Who asks.
    pub by: String,
    /// Why; may be empty.
    pub why: String,
    /// When it ends by itself, in seconds since 1970.
    pub until: Option<u64>,
    /// Also when the spare is not alive, or too few active nodes are left.
    pub force: bool,
    /// Whether the configured action comes first.
    pub with_action: bool,
    /// Only when the pool still needs it when its turn has come.
    pub only_if_wanted: bool,
}

/// What becomes of a node.
#[derive(Clone, Debug)]
pub enum Step {
    /// It becomes active, in the place of another node of the pool if there is a name.
    Nominate {
        /// The other node.
        replaces: Option<String>,
    },
    /// It becomes the backup again that it is by configuration.
    Unregister,
}

/// What comes before a role changes.
#[derive(Clone, Copy, Debug)]
pub(super) enum First<'p> {
    /// No action is configured.
    Nothing,
    /// There is one, and why it is not carried out.
    LeftOut(&'static str),
    /// It is carried out.
    Act(&'p Action),
}

impl Wish {
    fn nomination(&self) -> Nomination {
        let (by, why, until) = (self.by.clone(), self.why.clone(), self.until);
        Nomination { role: Role::Active, partner: None, by, why, at: now(), until }
    }

    /// Without the pool.
    fn node(&self) -> &str {
        self.name.split_once('/').map_or("", |(_, node)| node)
    }

    pub(super) fn change(&self, overrides: &Overrides, pool: &Pool) -> Result<Change, NotPossible> {
        let node = self.node();
        match &self.step {
            Step::Nominate { replaces } => overrides.nominate(pool, node, replaces.as_deref(), &self.nomination()),
            Step::Unregister => overrides.unregister(pool, node),
        }
    }

    /// What is to be done to the node first. A spare that somebody else has promoted, perhaps by the other server, lacks
    /// nothing but its role here.
    pub(super) fn first<'p>(&self, pool: &'p Pool, spare: &NodeStatus, change: &Change) -> First<'p> {
        let action = match self.step {
            Step::Nominate { .. } => pool.nominate.as_ref(),
            Step::Unregister => pool.unregister.as_ref(),
        };
        match action {
            None => First::Nothing,
            Some(_) if !self.with_action => First::LeftOut("left out as was asked for"),
            Some(_) if matches!(self.step, Step::Unregister) && change.backup.is_empty() => {
                First::LeftOut("left out, because it is active by configuration")
            }
            Some(_) if spare.promoted => First::LeftOut("left out, because it serves already"),
            Some(action) => First::Act(action),
        }
    }

    /// What becomes of the nodes.
    pub(super) fn events(&self, pool: &Pool, change: &Change, first: First<'_>) -> Vec<Event> {
        let said = self.nomination();
        let note = if let First::LeftOut(why) = first { format!("; the action is {why}") } else { String::new() };
        let text = |role: Role, node: &str| {
            let name = full_name(&pool.name, node);
            let what = match &self.step {
                Step::Nominate { replaces: Some(replaced) } if name == self.name => {
                    format!("nominated in the place of {replaced}")
                }
                step if name == self.name => step.done().to_owned(),
                _ => {
                    let what = if role == Role::Active { "active" } else { "a backup" };
                    format!("{what} from now on, as {} is {}", self.name, self.step.done())
                }
            };
            event(
                Kind::Nomination,
                &name,
                &role.to_string(),
                &format!("{what}{}{}", said.circumstances(), if name == self.name { &*note } else { "" }),
            )
            .by(&self.by)
        };
        let active = change.active.iter().map(|node| text(Role::Active, node));
        let mut events: Vec<_> = active.chain(change.backup.iter().map(|node| text(Role::Backup, node))).collect();
        // The node that was meant comes first, and then what follows for the other.
        events.sort_by_key(|event| event.node.as_deref() != Some(self.node()));
        events
    }

    /// Refuses what leaves too few active nodes, and a spare that nobody can see.
    pub(super) fn check(&self, pool: &PoolStatus, spare: &NodeStatus, change: &Change) -> Result<(), Refused> {
        let find = |name: &String| pool.nodes.iter().find(|node| node.name == *name);
        let leaving = change.backup.iter().filter_map(find).filter(|node| node.up).count();
        let serves = |node: &&NodeStatus| {
            node.r#override.is_none() && node.addresses.iter().any(|address| address.health == Health::Up)
        };
        let joining = change.active.iter().filter_map(find).filter(serves).count();
        if leaving > 0 {
            enough(pool, (pool.available - leaving) + joining)?;
        }
        let is_alive = spare.addresses.iter().any(AddressStatus::answers);
        if matches!(self.step, Step::Nominate { .. }) && !is_alive {
            let why = spare.addresses.first().map(|address| address.why.clone()).unwrap_or_default();
            return Err(Refused::NotAlive(format!("{} is not alive ({why})", self.name)));
        }
        Ok(())
    }
}

impl Step {
    /// In words, after "is".
    pub(super) fn done(&self) -> &'static str {
        match self {
            Self::Nominate { .. } => "nominated",
            Self::Unregister => "unregistered",
        }
    }
}
