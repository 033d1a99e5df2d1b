//! Spares that should step in without an operator, and for whom.

use std::sync::Arc;

use super::Health;
use super::control::Nominees;
use super::served::Served;
use super::table::Standing;
use crate::pool::{Role, Verdict};

impl Served {
    /// The spares that should step in, the best first, and the node that one of them replaces; none when enough active
    /// nodes are up, or nobody is there. Nodes of which an operator says something are left to the operator.
    pub(super) fn nominees(&self, standings: &[Standing]) -> Option<Nominees> {
        let every = self.pool.auto_nominate?;
        // The first result decides alone; for a step like this one it is too little.
        let settled =
            self.pool.monitors.iter().map(|monitor| monitor.interval * monitor.fall).max().unwrap_or_default();
        if self.since.elapsed() < settled || self.available() >= self.pool.least_active(&self.said) {
            return None;
        }
        let mut nodes = vec![Found { is_down: true, answers: None, is_alive: false, serves: false }; self.said.len()];
        for ((&(node, _), &verdict), standing) in self.slots.iter().zip(&self.verdicts).zip(standings) {
            let found = &mut nodes[node];
            // One that answers badly and is kept in the answers does some work still.
            found.is_down &= standing.health == Health::Down && verdict != Verdict::Kept;
            found.answers = found.answers.max(standing.answers_badly);
            found.is_alive |= standing.standby == Health::Up;
            found.serves |= standing.health == Health::Up;
        }
        let of = |role| {
            let said = self.said.iter().enumerate();
            said.filter(move |(_, said)| said.role == role && said.word.is_none()).map(|(node, _)| node)
        };
        let name = |node: usize| Arc::clone(&self.pool.nodes[node].name);
        // Rather one that does not answer at all than one that may recover; of those the one that fell first.
        // A spare that has been nominated a moment ago may need that long to serve.
        let replaceable = of(Role::Active).filter(|&node| nodes[node].is_down && self.role_has_settled(node));
        let replaces = name(replaceable.min_by_key(|&node| nodes[node].answers)?);
        // Promoted by somebody else, perhaps by the other server.
        let promoted: Vec<_> = of(Role::Backup).filter(|&node| self.is_promoted(node, standings)).map(name).collect();
        // One that is both is on its way from the one to the other: it will show.
        let is_on_its_way = |&node: &usize| nodes[node].is_alive && nodes[node].serves;
        if promoted.is_empty()
            && !self.pool.standby_monitors.is_empty()
            && of(Role::Backup).any(|node| is_on_its_way(&node))
        {
            return None;
        }
        let alive: Vec<_> = of(Role::Backup).filter(|&node| nodes[node].is_alive).map(name).collect();
        let is_any = !promoted.is_empty() || !alive.is_empty();
        is_any.then(|| Nominees { pool: Arc::clone(&self.pool.name), promoted, alive, replaces, every })
    }
}

/// How a node stands, by all of its addresses.
#[derive(Clone, Copy)]
struct Found {
    /// All of them are down.
    is_down: bool,
    /// When it fell, if it answers.
    answers: Option<u64>,
    /// As a spare, by one of them.
    is_alive: bool,
    /// By one of them.
    serves: bool,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::health::{Kind, Monitor};
    use crate::overrides::{Nomination, Override, Overrides};
    use crate::pool::{Amount, Node, Pool, Word};

    /// `a` and `b` are active, `c` and `d` are spares.
    fn pool() -> Pool {
        let node = |(i, name): (u8, &str)| Node {
            name: name.into(),
            addresses: vec![[10, 0, 0, i].into()],
            weight: 1,
            role: if name < "c" { Role::Active } else { Role::Backup },
        };
        let second = Duration::from_secs(1);
        let monitor =
            Monitor { name: "m".into(), kind: Kind::Ping, interval: second, timeout: second, rise: 1, fall: 3 };
        let monitors = vec![Arc::new(monitor)];
        let every = Some(Duration::from_secs(600));
        let nodes = (0..).zip(["a", "b", "c", "d"]).map(node).collect();
        Pool { standby_monitors: monitors.clone(), monitors, auto_nominate: every, ..Pool::of("core", nodes) }
    }

    fn down(answers_badly: Option<u64>) -> Standing {
        Standing { answers_badly, ..Health::Down.into() }
    }

    fn spare(standby: Health) -> Standing {
        Standing { standby, ..Health::Down.into() }
    }

    /// Spares in their order, and whom one of them replaces.
    fn nominees(standings: [Standing; 4], drained: Option<&str>, after: Duration) -> Option<(Vec<Arc<str>>, Arc<str>)> {
        let mut served = Served::new(pool(), None, |_| false);
        served.since -= after;
        let mut overrides = Overrides::default();
        let (by, why) = ("ops".to_owned(), String::new());
        let drain = Override { word: Word::Drain, by, why, at: 0, until: None };
        if let Some(node) = drained {
            overrides.set(&format!("core/{node}"), Some(drain));
        }
        served.decide(&standings, &overrides, &mut fastrand::Rng::with_seed(1));
        let found = served.nominees(&standings)?;
        Some((found.promoted.into_iter().chain(found.alive).collect(), found.replaces))
    }

    #[tokio::test(start_paused = true)]
    async fn live_spares_replace_those_who_are_dead() {
        tokio::time::advance(Duration::from_secs(100)).await;
        let (up, alive, dead) = (Standing::from(Health::Up), spare(Health::Up), spare(Health::Down));
        let promoted = Standing { standby: Health::Down, ..up };
        let (silent, bad) = (down(None), down(Some(1)));
        type Case = ([Standing; 4], Option<&'static str>, Option<(&'static [&'static str], &'static str)>);
        let cases: [Case; 9] = [
            ([up, silent, alive, alive], None, None),
            ([bad, silent, alive, alive], None, Some((&["c", "d"], "b"))),
            ([down(Some(2)), bad, alive, alive], None, Some((&["c", "d"], "b"))),
            ([silent, silent, dead, alive], None, Some((&["d"], "a"))),
            ([silent, silent, dead, dead], None, None),
            // Another server has promoted it.
            ([silent, silent, alive, promoted], None, Some((&["d", "c"], "a"))),
            // An operator's nodes are left to the operator.
            ([silent, bad, alive, alive], Some("a"), Some((&["c", "d"], "b"))),
            ([up, up, alive, alive], Some("a"), None),
            ([silent, silent, alive, alive], Some("c"), Some((&["d"], "a"))),
        ];
        for (standings, drained, expected) in cases {
            let found = nominees(standings, drained, Duration::from_secs(3));
            let found = found.as_ref().map(|(nodes, replaces)| (nodes.iter().map(|n| &**n).collect(), &**replaces));
            assert_eq!(
                found,
                expected.map(|(nodes, replaces)| (nodes.to_vec(), replaces)),
                "{standings:?} {drained:?}"
            );
        }
        let too_early = nominees([silent, silent, alive, alive], None, Duration::from_millis(2999));
        assert_eq!(too_early, None, "the first results alone are too little");
    }

    #[tokio::test(start_paused = true)]
    async fn a_spare_that_is_coming_up_is_not_replaced() {
        let pool = Pool { min_available: Amount::Count(2), ..pool() };
        let mut overrides = Overrides::default();
        let (by, why) = ("ops".to_owned(), String::new());
        let said = Nomination { role: Role::Active, partner: None, by, why, at: 0, until: None };
        let mut served = Served::new(pool.clone(), None, |_| false);
        let standings = [Health::Down.into(), Health::Up.into(), down(None), spare(Health::Up)];
        served.decide(&standings, &overrides, &mut fastrand::Rng::with_seed(1));
        tokio::time::advance(Duration::from_secs(100)).await;
        overrides.apply(&overrides.nominate(&pool, "c", Some("a"), &said).unwrap());
        served.decide(&standings, &overrides, &mut fastrand::Rng::with_seed(1));
        assert_eq!(served.nominees(&standings), None);
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(served.nominees(&standings).map(|found| found.replaces), Some("c".into()), "it never came up");
    }
}
