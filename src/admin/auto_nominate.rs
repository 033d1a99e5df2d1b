//! Nominations without an operator, for pools with `auto_nominate = true`.
//!
//! Once a second, this task asks the publisher for the backups to nominate ([`Nominees`]). It
//! decides when to try, and which backup. A failed attempt is an event or a line of the log, and
//! the next one follows after `nominate_every`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use evenkeel_core::actor::Actor;
use evenkeel_core::node_id::NodeId;
use evenkeel_core::overrides::Overrides;
use evenkeel_core::state::Nominees;
use tokio::time::Instant;
use tracing::warn;

use super::error::AdminError;
use super::role_request::{RoleChange, RoleRequest};
use super::service::{AdminService, TICK};
use crate::abort_on_panic;
use crate::clock::unix_now;

/// The attempts in each pool.
#[derive(Debug, Default)]
struct Attempts(HashMap<Arc<str>, Attempt>);

/// The attempts in one pool.
#[derive(Debug)]
struct Attempt {
    at: Instant,
    /// Backups that were tried in a row without success.
    tried: HashSet<Arc<str>>,
    /// The promoted backup of the latest attempt.
    promoted: Option<Arc<str>>,
}

impl AdminService {
    /// Nominates backups, as long as the server runs.
    pub(super) async fn auto_nominate(&self) {
        let mut attempts = Attempts::default();
        loop {
            tokio::time::sleep(TICK).await;
            let Ok(nominees) = self.health.nominees().await else { return };
            for nominees in nominees {
                if !attempts.admit(&nominees, self.store.lock().await.overrides()) {
                    continue;
                }
                let request = attempts.next(&nominees);
                // A task of its own, so that the action of one pool does not delay another pool.
                let service = self.clone();
                tokio::spawn(abort_on_panic::task(async move { service.nominate_for(request, nominees).await }));
            }
        }
    }

    /// Nominates one backup, and logs why if that fails.
    async fn nominate_for(&self, request: RoleRequest, nominees: Nominees) {
        let node = request.node.clone();
        match self.change_role(request).await {
            // A failed action has been recorded as an event.
            Ok(_) | Err(AdminError::ActionFailed(_) | AdminError::NotNeeded(_)) => {}
            Err(refused) => warn!("{node} cannot be nominated to replace {}: {refused}", nominees.replaces),
        }
    }
}

impl Attempts {
    /// Returns true if an attempt can be made in a pool now.
    ///
    /// `nominate_every` must have passed since the latest attempt, and since the latest change of
    /// roles that an operator has made or tried, even before a restart. A backup that another
    /// server has promoted is taken at once, unless an operator was the last to change roles, or
    /// the latest attempt with it has failed.
    fn admit(&self, nominees: &Nominees, overrides: &Overrides) -> bool {
        let Nominees { pool, every, promoted, .. } = nominees;
        let latest = self.0.get(pool);
        let is_due = latest.is_none_or(|attempt| attempt.at.elapsed() >= *every);
        let is_untried = |node| latest.is_none_or(|attempt| attempt.promoted.as_ref() != Some(node));
        match overrides.last_role_change(pool) {
            None => is_due,
            Some((_, Actor::AutoNomination)) if promoted.first().is_some_and(is_untried) => true,
            Some((at, _)) => is_due && unix_now().saturating_sub(at) >= every.as_secs(),
        }
    }

    /// The next attempt: with a backup that serves already, or else with the first that has not
    /// been tried. If all have been tried, it begins with the first again.
    fn next(&mut self, Nominees { pool, promoted, standby_up, replaces, .. }: &Nominees) -> RoleRequest {
        let attempt = self.0.entry(Arc::clone(pool)).or_insert_with(|| Attempt {
            at: Instant::now(),
            tried: HashSet::new(),
            promoted: None,
        });
        attempt.at = Instant::now();
        attempt.promoted = promoted.first().cloned();
        if standby_up.iter().all(|node| attempt.tried.contains(node)) {
            attempt.tried.clear();
        }
        let untried = standby_up.iter().find(|node| !attempt.tried.contains(*node));
        let node = promoted.first().or(untried).cloned().unwrap_or_default();
        attempt.tried.insert(Arc::clone(&node));
        RoleRequest {
            node: NodeId::new(pool, &node),
            change: RoleChange::Nominate { replaces: Some(replaces.to_string()) },
            by: Actor::AutoNomination,
            why: format!("{replaces} is down"),
            until: None,
            // The replaced node is down already, so no node is lost.
            force: true,
            without_action: false,
            only_if_needed: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_backup_after_the_other_is_tried_and_not_too_often() {
        let every = Duration::from_secs(600);
        let standby_up = ["b", "c"].map(Arc::from).to_vec();
        let mut nominees =
            Nominees { pool: "core".into(), promoted: Vec::new(), standby_up, replaces: "a".into(), every };
        let (mut attempts, overrides) = (Attempts::default(), Overrides::default());
        for expected in ["core/b", "core/c", "core/b"] {
            let admitted = |attempts: &Attempts| attempts.admit(&nominees, &overrides);
            assert!(admitted(&attempts));
            assert_eq!(attempts.next(&nominees).node.as_str(), expected);
            assert!(!admitted(&attempts));
            tokio::time::advance(every - Duration::from_secs(1)).await;
            assert!(!admitted(&attempts));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let mut changed = overrides.clone();
        changed.note_role_change("core", unix_now(), Actor::Operator("ops".to_owned()));
        assert!(!attempts.admit(&nominees, &changed), "an operator has changed a role");
        // A backup that serves is taken, regardless of earlier attempts.
        nominees.promoted = vec!["b".into()];
        assert!(!attempts.admit(&nominees, &changed));
        changed.note_role_change("core", unix_now(), Actor::AutoNomination);
        assert!(attempts.admit(&nominees, &changed), "the other server was faster");
        assert_eq!(attempts.next(&nominees).node.as_str(), "core/b");
        assert!(!attempts.admit(&nominees, &changed), "the attempt has failed");
        nominees.promoted = vec!["c".into()];
        assert!(attempts.admit(&nominees, &changed), "another backup has been promoted");
    }
}
