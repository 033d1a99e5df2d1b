//! Roles that change, by an operator or without one: the action first, then the disk, then the queries.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::warn;

use super::operator::{LOOK, Operator, Refused, enough, event, node, to_its_end};
use crate::action::{Action, Concerned};
use crate::events::{Event, Kind};
use crate::health::{Health, Nominee};
use crate::overrides::{Change, Nomination, NotPossible, Overrides, full_name, now};
use crate::pool::{Pool, Role};
use crate::status::{AddressStatus, NodeStatus, PoolStatus};

/// Who nominates when no operator does.
const WITHOUT_OPERATOR: &str = "auto_nominate";

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

/// When a spare of each pool stepped in last, or tried to.
#[derive(Debug, Default)]
pub(super) struct Attempts(HashMap<Arc<str>, Instant>);

impl Operator {
    /// Changes the role of a node. The configured action is carried out first.
    ///
    /// # Errors
    /// It was not done. Nothing has changed, unless the action was carried out; then the text says so.
    pub async fn appoint(&self, wish: Wish) -> Result<(), Refused> {
        let operator = self.clone();
        to_its_end(async move { operator.appoint_now(&wish).await }).await
    }

    async fn appoint_now(&self, wish: &Wish) -> Result<(), Refused> {
        let _roles = self.roles.lock().await;
        let (_, pools) = self.pools().await?;
        let Some((status, spare)) = node(&pools, &wish.name) else {
            return Err(Refused::NoSuchNode(wish.name.clone()));
        };
        let pool = self.control.pool(&status.name).await?;
        let pool = pool.ok_or_else(|| Refused::NoSuchNode(wish.name.clone()))?;
        let change = wish.change(self.book.lock().await.overrides(), &pool)?;
        if !wish.force {
            wish.check(status, spare, &change)?;
        }
        let action = match wish.step {
            Step::Nominate { .. } => pool.nominate.as_ref(),
            Step::Unregister => pool.unregister.as_ref(),
        };
        if let Some(action) = action {
            self.act(action, &pool, spare, wish).await?;
        }
        let after_action = |why: String| match action {
            Some(_) => Refused::NotPossible(NotPossible::new(format!("{why}; but the action has been carried out"))),
            None => Refused::NotPossible(NotPossible::new(why)),
        };
        let book = self.locked_book().await;
        // Anew: something may have come to its end meanwhile.
        let change = wish.change(book.overrides(), &pool).map_err(|why| after_action(why.to_string()))?;
        let happened = wish.events(&pool, &change);
        self.change(book, happened, move |overrides| overrides.apply(&change)).await.map_err(|refused| match refused {
            Refused::NotKept(error) => after_action(format!("it could not be kept: {error}")),
            other => other,
        })
    }

    /// Carries an action out on a node.
    async fn act(&self, action: &Action, pool: &Pool, node: &NodeStatus, wish: &Wish) -> Result<(), Refused> {
        // The first address that answers, or else the first of all.
        let is_up = |found: &&AddressStatus| found.health == Health::Up || found.standby == Some(Health::Up);
        let found = node.addresses.iter().find(is_up).or_else(|| node.addresses.first());
        let address = found.ok_or_else(|| Refused::NoSuchNode(wish.name.clone()))?.address;
        let host = pool.host_at(address);
        let concerned = Concerned { node: &wish.name, address, host: &host, by: &wish.by };
        action.run(&self.prober, concerned).await.map_err(|why| {
            let text = format!("not {}: the action has failed, {why}", wish.step.done());
            self.journal.record([event(Kind::Nomination, &wish.name, "failed", &text).by(&wish.by).warning()]);
            Refused::ActionFailed(why)
        })
    }

    /// Nominates spares where the configuration wants it without an operator, for as long as the server runs.
    pub(super) async fn let_spares_step_in(&self) {
        let mut attempts = Attempts::default();
        loop {
            tokio::time::sleep(LOOK).await;
            let Ok(nominees) = self.control.nominees().await else { return };
            for nominee in nominees {
                if !attempts.are_too_many(&nominee, self.book.lock().await.overrides()) {
                    self.step_in(&nominee).await;
                }
            }
        }
    }

    async fn step_in(&self, Nominee { pool, node, replaces, .. }: &Nominee) {
        let wish = Wish {
            name: full_name(pool, node),
            step: Step::Nominate { replaces: Some(replaces.to_string()) },
            by: WITHOUT_OPERATOR.to_owned(),
            why: format!("{replaces} is down"),
            until: None,
            // The pool has lost the node already, and that is why.
            force: true,
        };
        match self.appoint(wish).await {
            // The action's failure is told by whoever carried it out.
            Ok(()) | Err(Refused::ActionFailed(_)) => {}
            Err(refused) => warn!("{pool}/{node} cannot step in for {replaces}: {refused}"),
        }
    }
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

    fn change(&self, overrides: &Overrides, pool: &Pool) -> Result<Change, NotPossible> {
        let node = self.node();
        match &self.step {
            Step::Nominate { replaces } => overrides.nominate(pool, node, replaces.as_deref(), &self.nomination()),
            Step::Unregister => overrides.unregister(pool, node),
        }
    }

    /// What becomes of the nodes.
    fn events(&self, pool: &Pool, change: &Change) -> Vec<Event> {
        let said = self.nomination();
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
            event(Kind::Nomination, &name, &role.to_string(), &format!("{what}{}", said.circumstances())).by(&self.by)
        };
        let active = change.active.iter().map(|node| text(Role::Active, node));
        let mut events: Vec<_> = active.chain(change.backup.iter().map(|node| text(Role::Backup, node))).collect();
        // The node that was meant comes first, and then what follows for the other.
        events.sort_by_key(|event| event.node.as_deref() != Some(self.node()));
        events
    }

    /// Refuses what leaves too few active nodes, and a spare that nobody can see.
    fn check(&self, pool: &PoolStatus, spare: &NodeStatus, change: &Change) -> Result<(), Refused> {
        let find = |name: &String| pool.nodes.iter().find(|node| node.name == *name);
        let leaving = change.backup.iter().filter_map(find).filter(|node| node.up).count();
        let serves = |node: &&NodeStatus| {
            node.r#override.is_none() && node.addresses.iter().any(|address| address.health == Health::Up)
        };
        let joining = change.active.iter().filter_map(find).filter(serves).count();
        if leaving > 0 {
            enough(pool, (pool.available - leaving) + joining)?;
        }
        let is_alive = spare.addresses.iter().any(|address| address.standby == Some(Health::Up));
        if matches!(self.step, Step::Nominate { .. }) && !is_alive {
            let why = spare.addresses.first().map(|address| address.why.clone()).unwrap_or_default();
            return Err(Refused::NotAlive(format!("{} is not alive ({why})", self.name)));
        }
        Ok(())
    }
}

impl Step {
    /// In words, after "is".
    fn done(&self) -> &'static str {
        match self {
            Self::Nominate { .. } => "nominated",
            Self::Unregister => "unregistered",
        }
    }
}

impl Attempts {
    /// Whether the last one in a pool is too fresh for another, which counts from now otherwise.
    fn are_too_many(&mut self, Nominee { pool, every, .. }: &Nominee, overrides: &Overrides) -> bool {
        // Those before a restart are in the book.
        let noted = overrides.last_nomination(pool, WITHOUT_OPERATOR);
        let too_fresh = noted.is_some_and(|at| now().saturating_sub(at) < every.as_secs())
            || self.0.get(pool).is_some_and(|last| last.elapsed() < *every);
        if !too_fresh {
            self.0.insert(Arc::clone(pool), Instant::now());
        }
        too_fresh
    }
}
