//! Roles that change, by an operator or without one: the action first, then the disk, then the queries.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::operator::{Operator, Refused, enough, event, node, to_its_end};
use crate::action::{Action, Concerned};
use crate::events::{Event, Kind};
use crate::health::{Health, Nominees};
use crate::overrides::{Change, Nomination, NotPossible, Overrides, full_name, now};
use crate::pool::{Pool, Role};
use crate::status::{AddressStatus, NodeStatus, PoolStatus};

/// How often is looked whether a change has come to its end.
const SETTLING: Duration = Duration::from_millis(20);

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

/// Pools in which roles are being changed.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay(Arc<Mutex<HashSet<String>>>);

/// A change of roles that is under way in one pool, until this is dropped.
struct Changing {
    under_way: UnderWay,
    pool: String,
}

impl UnderWay {
    fn pools(&self) -> MutexGuard<'_, HashSet<String>> {
        // A set of names: a panic elsewhere cannot have left it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a change, unless another one is under way in the pool.
    fn begin(&self, pool: &str) -> Result<Changing, Refused> {
        if self.pools().insert(pool.to_owned()) {
            Ok(Changing { under_way: self.clone(), pool: pool.to_owned() })
        } else {
            Err(Refused::UnderWay(pool.to_owned()))
        }
    }

    /// Refuses what must not come between the parts of a change.
    pub(super) fn refuse_in(&self, pool: &str) -> Result<(), Refused> {
        if self.pools().contains(pool) { Err(Refused::UnderWay(pool.to_owned())) } else { Ok(()) }
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.under_way.pools().remove(&self.pool);
    }
}

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
        let nobody = || Refused::NoSuchNode(wish.name.clone());
        let (of, _) = wish.name.split_once('/').ok_or_else(nobody)?;
        // From here on nobody changes roles in the pool or takes out nodes that are needed, until it is done.
        let _changing = self.under_way.begin(of)?;
        let (book, (_, pools)) = (self.locked_book().await, self.pools().await?);
        let (status, spare) = node(&pools, &wish.name).ok_or_else(nobody)?;
        let pool = self.control.pool(of).await?.ok_or_else(nobody)?;
        let change = wish.change(book.overrides(), &pool)?;
        drop(book);
        if !wish.force {
            wish.check(status, spare, &change)?;
        }
        if wish.only_if_wanted && !self.is_wanted(wish).await? {
            return Err(Refused::NotWanted(wish.name.clone()));
        }
        let action = wish.action(&pool, spare);
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

    /// Whether a spare should still step in for the node that it was meant for.
    async fn is_wanted(&self, wish: &Wish) -> Result<bool, Refused> {
        let nominees = self.control.nominees().await?;
        let replaced = match &wish.step {
            Step::Nominate { replaces } => replaces.as_deref(),
            Step::Unregister => None,
        };
        let is_meant = |nominees: &Nominees| {
            let nodes = nominees.nodes.iter().any(|node| full_name(&nominees.pool, node) == wish.name);
            nodes && Some(&*nominees.replaces) == replaced
        };
        Ok(nominees.iter().any(is_meant))
    }

    /// Waits until no change of roles is under way.
    pub async fn settle(&self) {
        while !self.under_way.pools().is_empty() {
            tokio::time::sleep(SETTLING).await;
        }
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

    /// What is to be done to the node first. A spare that serves already has been promoted, perhaps by the other server:
    /// then only the role is missing here.
    fn action<'p>(&self, pool: &'p Pool, spare: &NodeStatus) -> Option<&'p Action> {
        let serves = spare.addresses.iter().any(|address| address.health == Health::Up);
        let is_promoted = serves && !pool.standby_monitors.is_empty();
        match self.step {
            _ if !self.with_action => None,
            Step::Nominate { .. } if is_promoted => None,
            Step::Nominate { .. } => pool.nominate.as_ref(),
            Step::Unregister => pool.unregister.as_ref(),
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
        let is_alive =
            spare.addresses.iter().any(|found| found.health == Health::Up || found.standby == Some(Health::Up));
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
