//! Spares that step in without an operator.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::time::Instant;
use tracing::warn;

use super::operator::{LOOK, Operator, Refused};
use super::wish::{Step, Wish};
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
            Ok(_) | Err(Refused::ActionFailed(_) | Refused::NotWanted(_)) => {}
            Err(refused) => warn!("{name} cannot step in for {}: {refused}", nominees.replaces),
        }
    }
}

impl Attempts {
    /// Whether an attempt in a pool may be made now: not for some time after the last one, and after any change that an
    /// operator has made or tried, also before a restart. What another server has promoted meanwhile is no further attempt.
    fn admit(&self, nominees: &Nominees, overrides: &Overrides) -> bool {
        let Nominees { pool, every, promoted, .. } = nominees;
        let own = self.0.get(pool).is_none_or(|attempt| attempt.at.elapsed() >= *every);
        match overrides.last_change(pool) {
            None => own,
            Some((_, WITHOUT_OPERATOR)) if !promoted.is_empty() => true,
            Some((at, _)) => own && now().saturating_sub(at) >= every.as_secs(),
        }
    }

    /// The next attempt: by a spare that serves already, or the first that has not been tried in vain, or all of them again.
    fn next(&mut self, Nominees { pool, promoted, alive, replaces, .. }: &Nominees) -> Wish {
        let attempt =
            self.0.entry(Arc::clone(pool)).or_insert_with(|| Attempt { at: Instant::now(), in_vain: HashSet::new() });
        attempt.at = Instant::now();
        if alive.iter().all(|node| attempt.in_vain.contains(node)) {
            attempt.in_vain.clear();
        }
        let untried = alive.iter().find(|node| !attempt.in_vain.contains(*node));
        let node = promoted.first().or(untried).cloned().unwrap_or_default();
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
        let alive = ["b", "c"].map(Arc::from).to_vec();
        let mut nominees = Nominees { pool: "core".into(), promoted: Vec::new(), alive, replaces: "a".into(), every };
        let (mut attempts, overrides) = (Attempts::default(), Overrides::default());
        for expected in ["core/b", "core/c", "core/b"] {
            let admitted = |attempts: &Attempts| attempts.admit(&nominees, &overrides);
            assert!(admitted(&attempts));
            assert_eq!(attempts.next(&nominees).name, expected);
            assert!(!admitted(&attempts));
            tokio::time::advance(every - Duration::from_secs(1)).await;
            assert!(!admitted(&attempts));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let mut changed = overrides.clone();
        changed.note_change("core", now(), "ops");
        assert!(!attempts.admit(&nominees, &changed), "an operator has changed something");
        // One that serves is taken, whatever was tried before.
        nominees.promoted = vec!["b".into()];
        assert_eq!(attempts.next(&nominees).name, "core/b");
        assert!(!attempts.admit(&nominees, &changed));
        changed.note_change("core", now(), WITHOUT_OPERATOR);
        assert!(attempts.admit(&nominees, &changed), "the other server was faster");
    }
}
