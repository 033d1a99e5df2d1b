//! Roles that operators give: a spare steps in as an active node, and back.
//!
//! A nominated backup counts as active; the active node that it replaces, if any, counts as a backup meanwhile, and each
//! names the other as its partner.

use serde::{Deserialize, Serialize};

use super::{Overrides, circumstances, full_name};
use crate::pool::{Node, Pool, Role};

/// Another role than the configuration's.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Nomination {
    /// The role that counts.
    pub role: Role,
    /// The node of the same pool that it replaces or, for a backup, that replaces it.
    pub partner: Option<String>,
    /// Who says it.
    pub by: String,
    /// Why; may be empty.
    pub why: String,
    /// Since when, in seconds since 1970.
    pub at: u64,
    /// When it ends by itself, in seconds since 1970.
    pub until: Option<u64>,
}

/// A step in which roles change, with all that it does to the nodes of a pool.
#[derive(Clone, Debug)]
pub struct Change {
    /// New nominations, or none any more, by `pool/node`.
    nominations: Vec<(String, Option<Nomination>)>,
    /// Nodes that become active.
    pub active: Vec<String>,
    /// Nodes that become backups.
    pub backup: Vec<String>,
}

/// Why roles cannot change so; the text names the nodes.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct NotPossible(String);

impl NotPossible {
    /// A reason, in words.
    pub fn new(why: String) -> Self {
        Self(why)
    }
}

impl Nomination {
    /// By whom, until when and why.
    pub fn circumstances(&self) -> String {
        circumstances(&self.by, self.until, &self.why)
    }

    /// In words: `nominated by ops, replaces core-2 (drill)`.
    pub fn described(&self) -> String {
        let circumstances = self.circumstances();
        match (self.role, &self.partner) {
            (Role::Active, None) => format!("nominated{circumstances}"),
            (Role::Active, Some(partner)) => format!("nominated{circumstances}, replaces {partner}"),
            (Role::Backup, partner) => {
                format!("replaced by {}, nominated{circumstances}", partner.as_deref().unwrap_or("nobody"))
            }
        }
    }
}

impl Overrides {
    /// What it takes to make a node active, in the place of another one or besides them all; `said` tells by whom and why.
    ///
    /// # Errors
    /// The node is active already, or the one to replace is not.
    pub fn nominate(
        &self,
        pool: &Pool,
        node: &str,
        replaces: Option<&str>,
        said: &Nomination,
    ) -> Result<Change, NotPossible> {
        let spare = self.find(pool, node)?;
        if self.role(pool, spare) == Role::Active {
            return Err(NotPossible(format!("{} is active already", full_name(&pool.name, node))));
        }
        let mut nominations = Vec::new();
        let mut put = |node: &str, said| nominations.push((full_name(&pool.name, node), said));
        // A replaced node that returns takes its place again; whoever had it keeps its own role without a partner.
        let own = self.nominations.get(&full_name(&pool.name, node)).filter(|own| own.role == Role::Backup);
        if let Some(deputy) = own.and_then(|own| own.partner.as_deref()).filter(|deputy| Some(*deputy) != replaces) {
            let kept = self.nominations.get(&full_name(&pool.name, deputy));
            put(deputy, kept.map(|kept| Nomination { partner: None, ..kept.clone() }));
        }
        let mut partner = None;
        if let Some(replaced) = replaces {
            let active = self.find(pool, replaced)?;
            if self.role(pool, active) != Role::Active {
                let name = full_name(&pool.name, replaced);
                return Err(NotPossible(format!("{name} is not active, it cannot be replaced")));
            }
            let backup = || Nomination { role: Role::Backup, partner: Some(node.to_owned()), ..said.clone() };
            if active.role == Role::Active {
                put(replaced, Some(backup()));
                partner = Some(replaced.to_owned());
            } else {
                put(replaced, None);
            }
            // Whoever had taken its place before, and is not there, has it no more.
            let has_it = |(_, other): &(&String, &Nomination)| {
                other.role == Role::Active && other.partner.as_deref() == Some(replaced)
            };
            let prefix = full_name(&pool.name, "");
            for (name, deputy) in self.nominations.iter().filter(has_it) {
                if let Some(other) = name.strip_prefix(&prefix).filter(|other| *other != node) {
                    put(other, Some(Nomination { partner: None, ..deputy.clone() }));
                }
            }
            // Those that it has replaced itself stay replaced, by the new one.
            for other in self.replaced_by(pool, replaced).into_iter().filter(|other| *other != node) {
                put(other, Some(backup()));
                partner.get_or_insert_with(|| other.to_owned());
            }
        }
        let nominated = Nomination { role: Role::Active, partner, ..said.clone() };
        put(node, (spare.role == Role::Backup).then_some(nominated));
        Ok(self.change(pool, nominations))
    }

    /// What it takes to make a nominated node the backup again that it is by configuration; the one that it replaced
    /// becomes active again.
    ///
    /// # Errors
    /// The node is not nominated.
    pub fn unregister(&self, pool: &Pool, node: &str) -> Result<Change, NotPossible> {
        self.find(pool, node)?;
        let name = full_name(&pool.name, node);
        match self.nominations.get(&name) {
            Some(Nomination { role: Role::Active, .. }) => {
                let replaced = self.replaced_by(pool, node).into_iter().map(|other| full_name(&pool.name, other));
                Ok(self.change(pool, replaced.chain([name]).map(|name| (name, None)).collect()))
            }
            Some(Nomination { partner: Some(partner), .. }) => {
                let is_there = pool.nodes.iter().any(|node| *node.name == **partner);
                let way = if is_there {
                    "nominate it to make it active again".to_owned()
                } else {
                    format!("which is not there; unregister {}", full_name(&pool.name, partner))
                };
                Err(NotPossible(format!("{name} is replaced by {partner}, {way}")))
            }
            _ => Err(NotPossible(format!("{name} is not nominated"))),
        }
    }

    /// When somebody changed roles in a pool last, or tried to, in seconds since 1970, and who.
    pub fn last_change(&self, pool: &str) -> Option<(u64, &str)> {
        self.changed.get(pool).map(|(at, by)| (*at, by.as_str()))
    }

    /// Notes that somebody changes roles in a pool, or tries to.
    pub fn note_change(&mut self, pool: &str, at: u64, by: &str) {
        self.changed.insert(pool.to_owned(), (at, by.to_owned()));
    }

    /// Takes back the nomination of a node, those of the nodes that it has replaced, and its place in those of others, whether
    /// they are there or not.
    pub fn forget(&mut self, name: &str) {
        let (pool, node) = name.split_once('/').unwrap_or((name, ""));
        self.nominations.remove(name);
        self.nominations.retain(|other, said| {
            let is_of_pool = other.split_once('/').is_some_and(|(of, _)| of == pool);
            let is_partner = is_of_pool && said.partner.as_deref() == Some(node);
            if is_partner && said.role == Role::Active {
                said.partner = None;
            }
            !(is_partner && said.role == Role::Backup)
        });
    }

    /// Nodes whose place another one has taken, also when they are not there.
    fn replaced_by<'s>(&'s self, pool: &Pool, deputy: &str) -> Vec<&'s str> {
        let prefix = full_name(&pool.name, "");
        let of_pool = self.nominations.iter().filter_map(|(name, said)| Some((name.strip_prefix(&prefix)?, said)));
        let replaced = of_pool.filter(|(_, said)| said.role == Role::Backup && said.partner.as_deref() == Some(deputy));
        replaced.map(|(name, _)| name).collect()
    }

    /// A change, with what it does.
    fn change(&self, pool: &Pool, nominations: Vec<(String, Option<Nomination>)>) -> Change {
        let mut change = Change { nominations, active: Vec::new(), backup: Vec::new() };
        let mut after = self.clone();
        after.apply(&change);
        for node in &pool.nodes {
            match (self.role(pool, node), after.role(pool, node)) {
                (Role::Backup, Role::Active) => change.active.push(node.name.to_string()),
                (Role::Active, Role::Backup) => change.backup.push(node.name.to_string()),
                _ => {}
            }
        }
        change
    }

    /// Carries a change out.
    pub fn apply(&mut self, change: &Change) {
        for (name, nomination) in &change.nominations {
            match nomination {
                Some(nomination) => drop(self.nominations.insert(name.clone(), nomination.clone())),
                None => drop(self.nominations.remove(name)),
            }
        }
    }

    fn find<'p>(&self, pool: &'p Pool, node: &str) -> Result<&'p Node, NotPossible> {
        let found = pool.nodes.iter().find(|found| *found.name == *node);
        found.ok_or_else(|| NotPossible(format!("there is no node {}", full_name(&pool.name, node))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Active nodes `a0`, `a1`, …, then backups `b0`, `b1`, ….
    fn pool(active: usize, backups: usize) -> Pool {
        let node = |role, name: String| {
            let addresses = vec!["192.0.2.1".parse().unwrap()];
            Node { name: name.into(), addresses, weight: 1, role }
        };
        let active = (0..active).map(|i| node(Role::Active, format!("a{i}")));
        Pool::of("core", active.chain((0..backups).map(|i| node(Role::Backup, format!("b{i}")))).collect())
    }

    fn by_ops() -> Nomination {
        Nomination { role: Role::Active, partner: None, by: "ops".into(), why: String::new(), at: 1, until: None }
    }

    fn active(overrides: &Overrides, pool: &Pool) -> Vec<String> {
        let said = overrides.said(pool);
        let active = pool.nodes.iter().zip(said).filter(|(_, said)| said.role == Role::Active);
        active.map(|(node, _)| node.name.to_string()).collect()
    }

    #[test]
    fn a_spare_steps_in_and_back() {
        let pool = pool(2, 2);
        let mut overrides = Overrides::default();
        let mut nominate = |node: &str, replaces: Option<&str>| {
            let change = overrides.nominate(&pool, node, replaces, &by_ops())?;
            overrides.apply(&change);
            Ok::<_, NotPossible>(active(&overrides, &pool))
        };
        assert_eq!(nominate("b0", Some("a0")).unwrap(), ["a1", "b0"]);
        assert_eq!(nominate("b0", None).unwrap_err().to_string(), "core/b0 is active already");
        assert_eq!(nominate("b1", Some("a0")).unwrap_err().to_string(), "core/a0 is not active, it cannot be replaced");
        // The next spare takes over from the first, and with it the place of a0.
        assert_eq!(nominate("b1", Some("b0")).unwrap(), ["a1", "b1"]);
        assert_eq!(overrides.nomination("core/b1").unwrap().described(), "nominated by ops, replaces a0");
        assert_eq!(overrides.nomination("core/a0").unwrap().described(), "replaced by b1, nominated by ops");
        let change = overrides.unregister(&pool, "b1").unwrap();
        overrides.apply(&change);
        assert_eq!(active(&overrides, &pool), ["a0", "a1"]);
        assert_eq!(overrides, Overrides::default());
    }

    #[test]
    fn a_replaced_node_is_active_when_nobody_is_there_in_its_place() {
        let with_spare = pool(1, 1);
        let mut overrides = Overrides::default();
        let change = overrides.nominate(&with_spare, "b0", Some("a0"), &by_ops()).unwrap();
        overrides.apply(&change);
        assert_eq!(active(&overrides, &with_spare), ["b0"]);
        assert_eq!(active(&overrides, &pool(1, 0)), ["a0"], "a reload has removed the spare");
        assert_eq!(active(&overrides, &with_spare), ["b0"], "and another one brought it back");
        let why = overrides.unregister(&with_spare, "a0").unwrap_err().to_string();
        assert_eq!(why, "core/a0 is replaced by b0, nominate it to make it active again");
        // It may take its place back, with the spare besides.
        let change = overrides.nominate(&with_spare, "a0", None, &by_ops()).unwrap();
        overrides.apply(&change);
        assert_eq!(active(&overrides, &with_spare), ["a0", "b0"]);
        let change = overrides.unregister(&with_spare, "b0").unwrap();
        overrides.apply(&change);
        assert_eq!(overrides, Overrides::default());
    }

    proptest! {
        /// Whatever operators do: a nomination makes the one node active and the other a backup, and nobody else anything;
        /// a change does what it says; and somebody is always active.
        #[test]
        fn changes_do_what_they_say(
            steps in prop::collection::vec((0..6_usize, prop::option::of(0..6_usize), any::<bool>()), 1..30),
        ) {
            let pool = pool(3, 3);
            let mut overrides = Overrides::default();
            for (node, replaces, nominates) in steps {
                let name = |i: usize| &*pool.nodes[i].name;
                let (name, replaces) = (name(node), replaces.map(name));
                let change = if nominates {
                    overrides.nominate(&pool, name, replaces, &by_ops())
                } else {
                    overrides.unregister(&pool, name)
                };
                let Ok(change) = change else { continue };
                let expected = if nominates { (vec![name], replaces.into_iter().collect()) } else { (vec![], vec![name]) };
                prop_assert!(!nominates || change.active == expected.0, "{:?}", change);
                prop_assert_eq!(&change.backup, &expected.1);
                let before = active(&overrides, &pool);
                overrides.apply(&change);
                let after = active(&overrides, &pool);
                let mut expected: Vec<_> = before.iter().filter(|name| !change.backup.contains(name)).cloned().collect();
                expected.extend(change.active.iter().filter(|name| !before.contains(name)).cloned());
                expected.sort_unstable();
                prop_assert_eq!(&after, &expected);
                prop_assert!(!after.is_empty());
            }
        }
    }
}
