//! Roles that change, by an operator or without one: the action first, then the disk, then the queries.

use std::time::Duration;

use tokio::sync::OwnedMutexGuard;

use super::operator::{Operator, Refused, event, node, to_its_end};
use super::wish::{First, Step, Wish};
use crate::action::{Action, Concerned};
use crate::events::Kind;
use crate::health::Nominees;
use crate::overrides::{Book, NotPossible, Overrides, full_name, now};
use crate::pool::Pool;
use crate::status::NodeStatus;

/// How often is looked whether a change has come to its end.
const SETTLING: Duration = Duration::from_millis(20);

impl Operator {
    /// Changes the role of a node. The configured action is carried out first; gives why it was left out, if it was.
    ///
    /// # Errors
    /// It was not done. Nothing has changed, unless the action was carried out; then the text says so.
    pub async fn appoint(&self, wish: Wish) -> Result<Option<&'static str>, Refused> {
        let operator = self.clone();
        to_its_end(async move { operator.appoint_now(&wish).await }).await
    }

    async fn appoint_now(&self, wish: &Wish) -> Result<Option<&'static str>, Refused> {
        let nobody = || Refused::NoSuchNode(wish.name.clone());
        let (of, _) = wish.name.split_once('/').ok_or_else(nobody)?;
        // From here on nobody changes roles in the pool or takes out nodes that are needed, until it is done.
        let _changing = self.under_way.begin(of)?;
        let (book, (_, pools)) = (self.locked_book().await, self.pools().await?);
        let Some((status, spare)) = node(&pools, &wish.name) else { return self.forget(book, wish).await };
        let pool = self.control.pool(of).await?.ok_or_else(nobody)?;
        let change = wish.change(book.overrides(), &pool)?;
        drop(book);
        if !wish.force {
            wish.check(status, spare, &change)?;
        }
        if wish.only_if_wanted && !self.is_wanted(wish).await? {
            return Err(Refused::NotWanted(wish.name.clone()));
        }
        let first = wish.first(&pool, spare, &change);
        if let First::Act(action) = first {
            // A role that cannot be kept must not be given to a node that cannot be asked back.
            self.note_attempt(of, wish).await?;
            self.act(action, &pool, spare, wish).await?;
        }
        self.keep(wish, of, first).await.map_err(|refused| self.after(first, refused, wish))?;
        Ok(if let First::LeftOut(why) = first { Some(why) } else { None })
    }

    /// Gives the roles. Everything is looked at anew: the action may have taken a while.
    async fn keep(&self, wish: &Wish, of: &str, first: First<'_>) -> Result<(), Refused> {
        let book = self.locked_book().await;
        let gone = || NotPossible::new(format!("{} is gone from the configuration", wish.name));
        let pool = self.control.pool(of).await?.ok_or_else(gone)?;
        let change = wish.change(book.overrides(), &pool)?;
        let happened = wish.events(&pool, &change, first);
        let (pool, by) = (of.to_owned(), wish.by.clone());
        let apply = move |overrides: &mut Overrides| {
            overrides.apply(&change);
            overrides.note_change(&pool, now(), &by);
        };
        self.change(book, happened, apply).await
    }

    /// What a failure is that comes after an action, which cannot be taken back.
    fn after(&self, first: First<'_>, refused: Refused, wish: &Wish) -> Refused {
        if !matches!(first, First::Act(_)) {
            return refused;
        }
        let why = match refused {
            Refused::NotKept(error) => format!("it could not be kept: {error}"),
            other => other.to_string(),
        };
        let text = format!("not {}, although the action has been carried out: {why}", wish.step.done());
        self.tell_failed(wish, &text);
        Refused::NotPossible(NotPossible::new(format!("{} is {text}", wish.name)))
    }

    /// Takes back the nomination of a node that the configuration does not have; nothing can be done to it.
    async fn forget(&self, book: OwnedMutexGuard<Book>, wish: &Wish) -> Result<Option<&'static str>, Refused> {
        let is_nominated = book.overrides().nomination(&wish.name).is_some();
        if !matches!(wish.step, Step::Unregister) || !is_nominated {
            return Err(Refused::NoSuchNode(wish.name.clone()));
        }
        let text = format!("unregistered by {}; it is not in the configuration", wish.by);
        let happened = event(Kind::Nomination, &wish.name, "backup", &text).by(&wish.by);
        let name = wish.name.clone();
        self.change(book, vec![happened], move |overrides| overrides.forget(&name)).await?;
        Ok(None)
    }

    /// Notes the attempt, which shows whether the disk takes anything at the moment.
    async fn note_attempt(&self, pool: &str, wish: &Wish) -> Result<(), Refused> {
        let (pool, by) = (pool.to_owned(), wish.by.clone());
        self.change(self.locked_book().await, Vec::new(), move |overrides| overrides.note_change(&pool, now(), &by))
            .await
    }

    /// Whether a spare should still step in for the node that it was meant for.
    async fn is_wanted(&self, wish: &Wish) -> Result<bool, Refused> {
        let nominees = self.control.nominees().await?;
        let replaced = match &wish.step {
            Step::Nominate { replaces } => replaces.as_deref(),
            Step::Unregister => None,
        };
        let is_meant = |nominees: &Nominees| {
            let mut nodes = nominees.promoted.iter().chain(&nominees.alive);
            let is_one = nodes.any(|node| full_name(&nominees.pool, node) == wish.name);
            is_one && Some(&*nominees.replaces) == replaced
        };
        Ok(nominees.iter().any(is_meant))
    }

    /// Waits until no change of roles is under way.
    pub async fn settle(&self) {
        while !self.under_way.is_over() {
            tokio::time::sleep(SETTLING).await;
        }
    }

    /// Carries an action out on a node.
    async fn act(&self, action: &Action, pool: &Pool, node: &NodeStatus, wish: &Wish) -> Result<(), Refused> {
        // The first address that answers, or else the first of all.
        let found = node.addresses.iter().find(|address| address.answers()).or_else(|| node.addresses.first());
        let address = found.ok_or_else(|| Refused::NoSuchNode(wish.name.clone()))?.address;
        let host = pool.host_at(address);
        let concerned = Concerned { node: &wish.name, address, host: &host, by: &wish.by };
        action.run(&self.prober, concerned).await.map_err(|why| {
            let text = format!("not {}: the action has failed, {why}", wish.step.done());
            self.tell_failed(wish, &text);
            Refused::ActionFailed(why)
        })
    }

    fn tell_failed(&self, wish: &Wish, text: &str) {
        self.journal.record([event(Kind::Nomination, &wish.name, "failed", text).by(&wish.by).warning()]);
    }
}
