//! Changes of roles: the nominations that a command sets and removes, and their effect on a pool.
//!
//! The admin service computes a [`RoleUpdate`] before the role action runs, and again before it
//! applies the update, because the action can take a while. A command that is not possible is a
//! [`RoleError`].

use super::{Nomination, Overrides};
use crate::node_id::NodeId;
use crate::pool::{Node, Pool, Role};

/// Changes of nominations, and their effect on the nodes of a pool.
#[derive(Clone, Debug)]
pub struct RoleUpdate {
    /// The new nomination per node; `None` removes it.
    nominations: NominationChanges,
    /// Nodes that become active.
    pub active: Vec<String>,
    /// Nodes that become backups.
    pub backup: Vec<String>,
}

/// Why a change of roles is not possible.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RoleError {
    /// The pool has no such node.
    #[error("there is no node {0}")]
    NoSuchNode(NodeId),
    /// The node to nominate is active.
    #[error("{0} is active already")]
    AlreadyActive(NodeId),
    /// The node to replace is a backup.
    #[error("{0} is not active, it cannot be replaced")]
    ReplacedIsNotActive(NodeId),
    /// The node to demote has no nomination.
    #[error("{0} is not nominated")]
    NotNominated(NodeId),
    /// The node to demote is replaced by another node.
    #[error("{node} is replaced by {by}, nominate it to make it active again")]
    IsReplaced {
        /// The node.
        node: NodeId,
        /// The node in its place.
        by: String,
    },
    /// The node to demote is replaced by a node that is missing from the configuration.
    #[error("{node} is replaced by {}, which is missing from the configuration; demote {by}", by.node())]
    IsReplacedByMissing {
        /// The node.
        node: NodeId,
        /// The node in its place.
        by: NodeId,
    },
}

impl Overrides {
    /// Computes the update that nominates a node: it becomes active and, if `replaces` names a
    /// node, that node becomes a backup.
    ///
    /// The update takes actor, time and reason from `nomination`.
    ///
    /// # Errors
    /// The node is active already, or the node to replace is not.
    pub fn nominate(
        &self,
        pool: &Pool,
        node: &str,
        replaces: Option<&str>,
        nomination: &Nomination,
    ) -> Result<RoleUpdate, RoleError> {
        let backup = find(pool, node)?;
        if self.role(pool, backup) == Role::Active {
            return Err(RoleError::AlreadyActive(pool.id_of(node)));
        }
        let mut update = Vec::new();
        self.unlink_replacement(pool, node, replaces, &mut update);
        let partner = match replaces {
            Some(replaced) => self.replace(pool, node, replaced, nomination, &mut update)?,
            None => None,
        };
        let nominated = Nomination { role: Role::Active, partner, ..nomination.clone() };
        update.push((pool.id_of(node), (backup.role == Role::Backup).then_some(nominated)));
        Ok(self.update(pool, update))
    }

    /// If `node` was replaced and `replaces` does not name its replacement, the replacement stays
    /// active without a partner.
    fn unlink_replacement(&self, pool: &Pool, node: &str, replaces: Option<&str>, update: &mut NominationChanges) {
        let own = self.nominations.get(&pool.id_of(node)).filter(|own| own.role == Role::Backup);
        let replacement =
            own.and_then(|own| own.partner.as_deref()).filter(|replacement| Some(*replacement) != replaces);
        if let Some(replacement) = replacement {
            let replacement = pool.id_of(replacement);
            let kept = self.nominations.get(&replacement).map(|kept| Nomination { partner: None, ..kept.clone() });
            update.push((replacement, kept));
        }
    }

    /// Makes `replaced` a backup: with `node` as its partner or, if it is one by configuration,
    /// without its nomination. Returns the partner of `node`.
    fn replace(
        &self,
        pool: &Pool,
        node: &str,
        replaced: &str,
        nomination: &Nomination,
        update: &mut NominationChanges,
    ) -> Result<Option<String>, RoleError> {
        let active = find(pool, replaced)?;
        if self.role(pool, active) != Role::Active {
            return Err(RoleError::ReplacedIsNotActive(pool.id_of(replaced)));
        }
        let as_backup = || Nomination { role: Role::Backup, partner: Some(node.to_owned()), ..nomination.clone() };
        let mut partner = None;
        if active.role == Role::Active {
            update.push((pool.id_of(replaced), Some(as_backup())));
            partner = Some(replaced.to_owned());
        } else {
            update.push((pool.id_of(replaced), None));
        }
        // Unlink earlier replacements that are missing from the configuration.
        for (id, replacement) in self.nominations.iter().filter(|(id, _)| id.pool() == &*pool.name && id.node() != node)
        {
            if replacement.role == Role::Active && replacement.partner.as_deref() == Some(replaced) {
                update.push((id.clone(), Some(Nomination { partner: None, ..replacement.clone() })));
            }
        }
        // Nodes that `replaced` had replaced itself are now replaced by `node`.
        for other in self.replaced_by(pool, replaced).filter(|other| other.node() != node) {
            update.push((other.clone(), Some(as_backup())));
            partner.get_or_insert_with(|| other.node().to_owned());
        }
        Ok(partner)
    }

    /// Computes the update that demotes a nominated node: it becomes a backup again, as
    /// configured, and the node that it replaced becomes active again.
    ///
    /// # Errors
    /// The node is not nominated.
    pub fn demote(&self, pool: &Pool, node: &str) -> Result<RoleUpdate, RoleError> {
        find(pool, node)?;
        let id = pool.id_of(node);
        match self.nominations.get(&id) {
            Some(Nomination { role: Role::Active, .. }) => {
                let replaced = self.replaced_by(pool, node).cloned();
                Ok(self.update(pool, replaced.chain([id]).map(|id| (id, None)).collect()))
            }
            Some(Nomination { partner: Some(by), .. }) if find(pool, by).is_ok() => {
                Err(RoleError::IsReplaced { node: id, by: by.clone() })
            }
            Some(Nomination { partner: Some(by), .. }) => {
                Err(RoleError::IsReplacedByMissing { node: id, by: pool.id_of(by) })
            }
            _ => Err(RoleError::NotNominated(id)),
        }
    }

    /// Removes the nomination of a node, and those of the nodes that it has replaced. A node that
    /// has replaced it stays active without a partner.
    ///
    /// All these nodes may be missing from the configuration.
    pub fn forget(&mut self, node: &NodeId) {
        self.nominations.remove(node);
        self.nominations.retain(|other, nomination| {
            let is_partner = other.pool() == node.pool() && nomination.partner.as_deref() == Some(node.node());
            if is_partner && nomination.role == Role::Active {
                nomination.partner = None;
            }
            !(is_partner && nomination.role == Role::Backup)
        });
    }

    /// The nodes that `replacement` has replaced, even if they are missing from the configuration.
    fn replaced_by<'s>(&'s self, pool: &'s Pool, replacement: &'s str) -> impl Iterator<Item = &'s NodeId> {
        let of_pool = self.nominations.iter().filter(|(id, _)| id.pool() == &*pool.name);
        let replaced = of_pool.filter(move |(_, nomination)| {
            nomination.role == Role::Backup && nomination.partner.as_deref() == Some(replacement)
        });
        replaced.map(|(id, _)| id)
    }

    /// Computes the effect of changes of nominations on the nodes of a pool.
    fn update(&self, pool: &Pool, nominations: NominationChanges) -> RoleUpdate {
        let mut update = RoleUpdate { nominations, active: Vec::new(), backup: Vec::new() };
        let mut after = self.clone();
        after.apply(&update);
        for node in &pool.nodes {
            match (self.role(pool, node), after.role(pool, node)) {
                (Role::Backup, Role::Active) => update.active.push(node.name.to_string()),
                (Role::Active, Role::Backup) => update.backup.push(node.name.to_string()),
                _ => {}
            }
        }
        update
    }

    /// Applies an update.
    pub fn apply(&mut self, update: &RoleUpdate) {
        for (node, nomination) in &update.nominations {
            match nomination {
                Some(nomination) => drop(self.nominations.insert(node.clone(), nomination.clone())),
                None => drop(self.nominations.remove(node)),
            }
        }
    }
}

/// Changes of nominations, in this order; `None` removes a nomination.
type NominationChanges = Vec<(NodeId, Option<Nomination>)>;

/// The node of a pool with this name.
fn find<'p>(pool: &'p Pool, node: &str) -> Result<&'p Node, RoleError> {
    let found = pool.nodes.iter().find(|found| *found.name == *node);
    found.ok_or_else(|| RoleError::NoSuchNode(pool.id_of(node)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::actor::Actor;
    use crate::pool::Node;

    /// Active nodes `a0`, `a1`, …, then backups `b0`, `b1`, ….
    fn pool(active: usize, backups: usize) -> Pool {
        let node = |role, name: String| {
            let addresses = vec!["192.0.2.1".parse().unwrap()];
            Node { name: name.into(), addresses, weight: 1, role }
        };
        let active = (0..active).map(|i| node(Role::Active, format!("a{i}")));
        Pool::with_defaults("core", active.chain((0..backups).map(|i| node(Role::Backup, format!("b{i}")))).collect())
    }

    fn by_ops() -> Nomination {
        Nomination {
            role: Role::Active,
            partner: None,
            by: Actor::Operator("ops".into()),
            why: String::new(),
            at: 1,
            until: None,
        }
    }

    fn active(overrides: &Overrides, pool: &Pool) -> Vec<String> {
        let active = pool.nodes.iter().filter(|node| overrides.admin_state(pool, node).role == Role::Active);
        active.map(|node| node.name.to_string()).collect()
    }

    #[test]
    fn a_backup_becomes_active_and_a_backup_again() {
        let pool = pool(2, 2);
        let mut overrides = Overrides::default();
        let mut nominate = |node: &str, replaces: Option<&str>| {
            let update = overrides.nominate(&pool, node, replaces, &by_ops())?;
            overrides.apply(&update);
            Ok::<_, RoleError>(active(&overrides, &pool))
        };
        assert_eq!(nominate("b0", Some("a0")).unwrap(), ["a1", "b0"]);
        assert_eq!(nominate("b0", None).unwrap_err().to_string(), "core/b0 is active already");
        assert_eq!(nominate("b1", Some("a0")).unwrap_err().to_string(), "core/a0 is not active, it cannot be replaced");
        // The second backup replaces the first, so it also replaces a0.
        assert_eq!(nominate("b1", Some("b0")).unwrap(), ["a1", "b1"]);
        assert_eq!(
            overrides.nomination(&NodeId::new("core", "b1")).unwrap().description(),
            "nominated by ops, replaces a0"
        );
        assert_eq!(
            overrides.nomination(&NodeId::new("core", "a0")).unwrap().description(),
            "replaced by b1, nominated by ops"
        );
        let update = overrides.demote(&pool, "b1").unwrap();
        overrides.apply(&update);
        assert_eq!(active(&overrides, &pool), ["a0", "a1"]);
        assert_eq!(overrides, Overrides::default());
    }

    #[test]
    fn a_replaced_node_is_active_if_the_node_in_its_place_is_missing() {
        let with_backup = pool(1, 1);
        let mut overrides = Overrides::default();
        let update = overrides.nominate(&with_backup, "b0", Some("a0"), &by_ops()).unwrap();
        overrides.apply(&update);
        assert_eq!(active(&overrides, &with_backup), ["b0"]);
        assert_eq!(active(&overrides, &pool(1, 0)), ["a0"], "after a reload without the backup");
        assert_eq!(active(&overrides, &with_backup), ["b0"], "after a reload with the backup");
        let why = overrides.demote(&with_backup, "a0").unwrap_err().to_string();
        assert_eq!(why, "core/a0 is replaced by b0, nominate it to make it active again");
        // The replaced node can be nominated itself; the backup stays active.
        let update = overrides.nominate(&with_backup, "a0", None, &by_ops()).unwrap();
        overrides.apply(&update);
        assert_eq!(active(&overrides, &with_backup), ["a0", "b0"]);
        let update = overrides.demote(&with_backup, "b0").unwrap();
        overrides.apply(&update);
        assert_eq!(overrides, Overrides::default());
    }

    proptest! {
        /// Laws for any commands:
        ///
        /// - a nomination makes one node active and the replaced node a backup, and no third node
        ///   changes
        /// - an update has exactly the effect that it names
        /// - at least one node is always active
        #[test]
        fn updates_have_the_effect_that_they_name(
            steps in prop::collection::vec((0..6_usize, prop::option::of(0..6_usize), any::<bool>()), 1..30),
        ) {
            let pool = pool(3, 3);
            let mut overrides = Overrides::default();
            for (node, replaces, nominates) in steps {
                let name = |i: usize| &*pool.nodes[i].name;
                let (name, replaces) = (name(node), replaces.map(name));
                let update = if nominates {
                    overrides.nominate(&pool, name, replaces, &by_ops())
                } else {
                    overrides.demote(&pool, name)
                };
                let Ok(update) = update else { continue };
                let expected = if nominates { (vec![name], replaces.into_iter().collect()) } else { (vec![], vec![name]) };
                prop_assert!(!nominates || update.active == expected.0, "{:?}", update);
                prop_assert_eq!(&update.backup, &expected.1);
                let before = active(&overrides, &pool);
                overrides.apply(&update);
                let after = active(&overrides, &pool);
                let mut expected: Vec<_> = before.iter().filter(|name| !update.backup.contains(name)).cloned().collect();
                expected.extend(update.active.iter().filter(|name| !before.contains(name)).cloned());
                expected.sort_unstable();
                prop_assert_eq!(&after, &expected);
                prop_assert!(!after.is_empty());
            }
        }
    }
}
