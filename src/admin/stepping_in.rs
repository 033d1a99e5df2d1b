//! Spares that step in without an operator.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::time::Instant;
use tracing::warn;

use super::operator::{LOOK, Operator, Refused};
use super::roles::{Step, Wish};
use crate::health::Nominees;
use crate::overrides::{Overrides, full_name, now};
use crate::vital;

/// Who nominates when no operator does.
const WITHOUT_OPERATOR: &str = "auto_nominate";

/// What was attempted in each pool.
#[derive(Debug, Default)]
struct Attempts(HashMap<Arc<str>, Attempt>);

#[derive(Debug)]
struct Attempt {
    at: Instant,
    /// Spares that were tried in a row and stayed what they are.
    in_vain: HashSet<Arc<str>>,
}

impl Operator {
    /// Nominates spares where the configuration wants it, for as long as the server runs.
    pub(super) async fn let_spares_step_in(&self) {
        let mut attempts = Attempts::default();
        loop {
            tokio::time::sleep(LOOK).await;
            let Ok(wanting) = self.control.nominees().await else { return };
            for nominees in wanting {
                if !attempts.admit(&nominees, self.book.lock().await.overrides()) {
                    continue;
                }
                let wish = attempts.next(&nominees);
                // Apart: the action of one pool does not hold up another.
                let operator = self.clone();
                tokio::spawn(vital::task(async move { operator.step_in(wish, nominees).await }));
            }
        }
    }

    async fn step_in(&self, wish: Wish, nominees: Nominees) {
        let name = wish.name.clone();
        match self.appoint(wish).await {
            // The action's failure is told by whoever carried it out; what is not wanted any more is nobody's concern.
            Ok(()) | Err(Refused::ActionFailed(_) | Refused::NotWanted(_)) => {}
            Err(refused) => warn!("{name} cannot step in for {}: {refused}", nominees.replaces),
        }
    }
}

impl Attempts {
    /// Whether an attempt in a pool may be made now: not for some time after the last one, also if that was before a
    /// restart, as far as the overrides know of it.
    fn admit(&self, Nominees { pool, every, .. }: &Nominees, overrides: &Overrides) -> bool {
        let noted = overrides.last_nomination(pool, WITHOUT_OPERATOR);
        noted.is_none_or(|at| now().saturating_sub(at) >= every.as_secs())
            && self.0.get(pool).is_none_or(|last| last.at.elapsed() >= *every)
    }

    /// The next attempt: by the first spare that has not been tried in vain, or by all of them again.
    fn next(&mut self, Nominees { pool, nodes, replaces, .. }: &Nominees) -> Wish {
        let attempt =
            self.0.entry(Arc::clone(pool)).or_insert_with(|| Attempt { at: Instant::now(), in_vain: HashSet::new() });
        attempt.at = Instant::now();
        if nodes.iter().all(|node| attempt.in_vain.contains(node)) {
            attempt.in_vain.clear();
        }
        let node = nodes.iter().find(|node| !attempt.in_vain.contains(*node)).cloned().unwrap_or_default();
        attempt.in_vain.insert(Arc::clone(&node));
        Wish {
            name: full_name(pool, &node),
            step: Step::Nominate { replaces: Some(replaces.to_string()) },
            by: WITHOUT_OPERATOR.to_owned(),
            why: format!("{replaces} is down"),
            until: None,
            // The pool has lost the node already, and that is why.
            force: true,
            with_action: true,
            only_if_wanted: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_spare_after_the_other_is_tried_and_not_too_often() {
        let every = Duration::from_secs(600);
        let nodes = ["b", "c"].map(Arc::from).to_vec();
        let nominees = Nominees { pool: "core".into(), nodes, replaces: "a".into(), every };
        let (mut attempts, overrides) = (Attempts::default(), Overrides::default());
        for expected in ["core/b", "core/c", "core/b"] {
            assert!(attempts.admit(&nominees, &overrides));
            assert_eq!(attempts.next(&nominees).name, expected);
            assert!(!attempts.admit(&nominees, &overrides));
            tokio::time::advance(every - Duration::from_secs(1)).await;
            assert!(!attempts.admit(&nominees, &overrides));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    }
}
