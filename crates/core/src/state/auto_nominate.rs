//! Auto-nomination: the backups that the server may nominate without an operator, and the node that
//! one of them replaces.
//!
//! The admin service asks for them through the publisher, once a second, and nominates one.

use std::sync::Arc;
use std::time::Duration;

use super::pool_state::{NodeState, PoolState};
use crate::health::Health;
use crate::pool::{Node, Role, Verdict};
use crate::time::Now;

/// The backups of a pool with too few active nodes that are up. One of them is to be nominated.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Nominees {
    /// Name of the pool.
    pub pool: Arc<str>,
    /// Backups that are up already: something else has promoted them.
    pub promoted: Vec<Arc<str>>,
    /// Backups whose standby health is up.
    pub standby_up: Vec<Arc<str>>,
    /// The active node to replace. It is down.
    pub replaces: Arc<str>,
    /// At most one nomination per this time.
    pub every: Duration,
}

impl NodeState {
    /// Returns true if all of its addresses are down and none is kept in the answers. A node with a
    /// capped ejection still does some work.
    fn is_down(&self) -> bool {
        let is_out = |address| self.believed_health(address) == Health::Down;
        self.addresses.iter().all(|address| is_out(address) && address.verdict != Verdict::EjectionCapped)
    }

    /// Sequence number of its latest transition to down because of bad responses; `None` if it does
    /// not respond.
    fn bad_response_seq(&self) -> Option<u64> {
        self.addresses.iter().filter_map(|address| address.health().bad_response_seq).max()
    }

    /// Returns true if the standby health of one of its addresses is up.
    fn has_standby_up(&self) -> bool {
        self.addresses.iter().any(|address| address.health().standby == Health::Up)
    }

    /// Returns true if the health of one of its addresses is up.
    fn serves(&self) -> bool {
        self.addresses.iter().any(|address| self.believed_health(address) == Health::Up)
    }
}

impl PoolState {
    /// The backups to nominate, the best first, and the node that one of them replaces.
    ///
    /// Returns `None` if:
    ///
    /// - the pool has no auto-nomination, or has not been observed for long enough
    /// - enough active nodes are up
    /// - there is no node to replace, or no backup to nominate
    /// - a backup is changing its health, and the outcome is open
    ///
    /// Nodes with an override are left to operators.
    pub(super) fn nominees(&self, now: Now) -> Option<Nominees> {
        let rule = self.pool.auto_nominate?;
        // A single first result decides health, which is too little for a nomination.
        let observed_for = now.instant.saturating_duration_since(self.loaded_at);
        if observed_for < rule.observe_for || self.available_count() >= self.min_available() {
            return None;
        }
        let of = |role| self.nodes().filter(move |(_, state)| state.admin.role == role && state.admin.forced.is_none());
        let names = |of: &mut dyn Iterator<Item = (&Node, &NodeState)>| -> Vec<Arc<str>> {
            of.map(|(node, _)| Arc::clone(&node.name)).collect()
        };
        // A node that does not respond is replaced before a node with bad responses, which may
        // recover. Of the latter, the first to go down is replaced. A node whose role is still
        // settling may be a nominated backup that needs the time to serve.
        let is_replaceable = |state: &NodeState| state.is_down() && state.role_has_settled(&self.pool, now);
        let replaceable = of(Role::Active).filter(|(_, state)| is_replaceable(state));
        let (replaced, _) = replaceable.min_by_key(|(_, state)| state.bad_response_seq())?;
        let promoted = names(&mut of(Role::Backup).filter(|(_, state)| state.is_promoted(&self.pool, now)));
        // A backup whose health and standby health are both up is changing from one to the other.
        // Wait for the outcome.
        let is_changing = |state: &NodeState| state.has_standby_up() && state.serves();
        if promoted.is_empty()
            && self.pool.has_standby_monitors
            && of(Role::Backup).any(|(_, state)| is_changing(state))
        {
            return None;
        }
        let standby_up = names(&mut of(Role::Backup).filter(|(_, state)| state.has_standby_up()));
        let (pool, replaces, every) = (Arc::clone(&self.pool.name), Arc::clone(&replaced.name), rule.every);
        (!promoted.is_empty() || !standby_up.is_empty()).then_some(Nominees {
            pool,
            promoted,
            standby_up,
            replaces,
            every,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::actor::Actor;
    use crate::health::AddressHealth;
    use crate::overrides::{Nomination, Override, Overrides};
    use crate::pool::{AutoNominate, ForcedState, NodeCount, Pool};
    use crate::state::{AddressTargets, RememberedHealth};

    /// `a` and `b` are active, `c` and `d` are backups.
    fn pool() -> Pool {
        let node = |(i, name): (u8, &str)| Node {
            name: name.into(),
            addresses: vec![[10, 0, 0, i].into()],
            weight: 1,
            role: if name < "c" { Role::Active } else { Role::Backup },
        };
        Pool {
            has_standby_monitors: true,
            role_settle_time: Duration::from_secs(4),
            auto_nominate: Some(AutoNominate { every: Duration::from_secs(600), observe_for: Duration::from_secs(3) }),
            ..Pool::with_defaults("core", (0..).zip(["a", "b", "c", "d"]).map(node).collect())
        }
    }

    /// A pool, with a clock that the test advances.
    struct Harness {
        state: PoolState,
        overrides: Overrides,
        now: Now,
    }

    impl Harness {
        fn new(pool: Pool) -> Self {
            let now = Now { instant: Instant::now(), unix: 0 };
            let targets = vec![vec![AddressTargets::default()]; pool.nodes.len()];
            let state = PoolState::new(Arc::new(pool), targets, None, &RememberedHealth::default(), now);
            Self { state, overrides: Overrides::default(), now }
        }

        fn advance(&mut self, time: Duration) {
            self.now.instant += time;
        }

        fn decide(&mut self, health: [AddressHealth; 4]) {
            self.state.addresses_mut().zip(health).for_each(|(address, health)| address.assume(health));
            self.state.decide(&self.overrides, self.now, &mut fastrand::Rng::with_seed(1));
        }
    }

    fn down(bad_response_seq: Option<u64>) -> AddressHealth {
        AddressHealth { bad_response_seq, ..Health::Down.into() }
    }

    fn backup(standby: Health) -> AddressHealth {
        AddressHealth { standby, ..Health::Down.into() }
    }

    /// The backups to nominate in their order, and the node that one of them replaces.
    fn nominees(
        health: [AddressHealth; 4],
        drained: Option<&str>,
        after: Duration,
    ) -> Option<(Vec<Arc<str>>, Arc<str>)> {
        let mut harness = Harness::new(pool());
        harness.advance(after);
        if let Some(node) = drained {
            let by = Actor::Operator("ops".to_owned());
            let drain = Override { state: ForcedState::Drain, by, why: String::new(), at: 0, until: None };
            harness.overrides.set(harness.state.pool.id_of(node), drain);
        }
        harness.decide(health);
        let found = harness.state.nominees(harness.now)?;
        Some((found.promoted.into_iter().chain(found.standby_up).collect(), found.replaces))
    }

    #[test]
    fn backups_whose_standby_health_is_up_replace_active_nodes_that_are_down() {
        let (up, ready, lost) = (AddressHealth::from(Health::Up), backup(Health::Up), backup(Health::Down));
        let promoted = AddressHealth { standby: Health::Down, ..up };
        let (silent, bad) = (down(None), down(Some(1)));
        type Case = ([AddressHealth; 4], Option<&'static str>, Option<(&'static [&'static str], &'static str)>);
        let cases: [Case; 9] = [
            ([up, silent, ready, ready], None, None),
            ([bad, silent, ready, ready], None, Some((&["c", "d"], "b"))),
            ([down(Some(2)), bad, ready, ready], None, Some((&["c", "d"], "b"))),
            ([silent, silent, lost, ready], None, Some((&["d"], "a"))),
            ([silent, silent, lost, lost], None, None),
            // Another server has promoted `d`.
            ([silent, silent, ready, promoted], None, Some((&["d", "c"], "a"))),
            // Nodes with an override are left to operators.
            ([silent, bad, ready, ready], Some("a"), Some((&["c", "d"], "b"))),
            ([up, up, ready, ready], Some("a"), None),
            ([silent, silent, ready, ready], Some("c"), Some((&["d"], "a"))),
        ];
        for (health, drained, expected) in cases {
            let found = nominees(health, drained, Duration::from_secs(3));
            let found = found.as_ref().map(|(nodes, replaces)| (nodes.iter().map(|n| &**n).collect(), &**replaces));
            let expected = expected.map(|(nodes, replaces)| (nodes.to_vec(), replaces));
            assert_eq!(found, expected, "{health:?} {drained:?}");
        }
        let too_early = nominees([silent, silent, ready, ready], None, Duration::from_millis(2999));
        assert_eq!(too_early, None, "a first result alone is too little");
    }

    #[test]
    fn a_nominated_backup_is_not_replaced_before_it_can_serve() {
        let mut harness = Harness::new(Pool { min_available: NodeCount::Count(2), ..pool() });
        let (by, why) = (Actor::Operator("ops".to_owned()), String::new());
        let nomination = Nomination { role: Role::Active, partner: None, by, why, at: 0, until: None };
        let health = [Health::Down.into(), Health::Up.into(), down(None), backup(Health::Up)];
        harness.decide(health);
        harness.advance(Duration::from_secs(100));
        let update = harness.overrides.nominate(&harness.state.pool, "c", Some("a"), &nomination).unwrap();
        harness.overrides.apply(&update);
        harness.decide(health);
        assert_eq!(harness.state.nominees(harness.now), None);
        harness.advance(Duration::from_secs(4));
        let replaces = harness.state.nominees(harness.now).map(|found| found.replaces);
        assert_eq!(replaces, Some("c".into()), "it has not served in time");
    }
}
