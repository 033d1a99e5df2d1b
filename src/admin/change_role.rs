//! Changes of roles, by an operator or an auto-nomination: checks the request (of an operator) or
//! whether it is still needed (of an auto-nomination), runs the action, stores the roles, and then
//! lets queries see them.
//!
//! The API and `auto_nominate` call [`AdminService::change_role`]. If an action will run, the store
//! is written once before it: an action cannot be undone if its role cannot be stored. If a step
//! fails, no role changes.

use evenkeel_core::overrides::Overrides;
use evenkeel_core::state::Nominees;
use evenkeel_core::status::{AddressStatus, NodeStatus};
use tokio::sync::OwnedMutexGuard;

use super::error::AdminError;
use super::role_request::{ActionStep, RoleChange, RoleRequest};
use super::service::{AdminService, find_node, run_to_end};
use crate::clock::unix_now;
use crate::events::{Event, EventKind, EventState};
use crate::pool_config::PoolConfig;
use crate::role_action::{ActionContext, RoleAction};
use crate::state_dir::OverrideStore;

impl AdminService {
    /// Changes the role of a node. The configured action runs first; if it was skipped, returns
    /// why.
    ///
    /// # Errors
    /// The role has not changed. If the action has run, the text says so.
    pub async fn change_role(&self, request: RoleRequest) -> Result<Option<&'static str>, AdminError> {
        let service = self.clone();
        run_to_end(async move { service.change_role_now(&request).await }).await
    }

    /// Locks the pool, checks the request, runs the action, and stores the roles.
    async fn change_role_now(&self, request: &RoleRequest) -> Result<Option<&'static str>, AdminError> {
        let no_such_node = || AdminError::NoSuchNode(request.node.clone());
        // Until this is dropped, no other role of the pool changes, and no needed node is taken
        // out.
        let _lock = self.pool_locks.lock(request.node.pool())?;
        let (store, pools) = (self.locked_store().await, self.pools().await?);
        let Some((status, backup)) = find_node(&pools, &request.node) else { return self.forget(store, request).await };
        let config = self.health.pool(request.node.pool()).await?.ok_or_else(no_such_node)?;
        let update = request.update(store.overrides(), &config.pool)?;
        drop(store);
        if !request.force {
            request.check(status, backup, &update)?;
        }
        if request.only_if_needed && !self.is_needed(request).await? {
            return Err(AdminError::NotNeeded(request.node.clone()));
        }
        let step = request.action_step(&config.actions, backup, &update);
        if let ActionStep::Run(action) = step {
            // The disk is tried first: an action cannot be undone if its role cannot be stored.
            self.note_attempt(request).await?;
            self.run_action(action, &config, backup, request).await?;
        }
        self.store_roles(request, step).await.map_err(|refused| self.failed_after(step, refused, request))?;
        Ok(if let ActionStep::Skip(why) = step { Some(why) } else { None })
    }

    /// Stores the roles. Reads everything again: it may have changed while the action ran.
    async fn store_roles(&self, request: &RoleRequest, step: ActionStep<'_>) -> Result<(), AdminError> {
        let store = self.locked_store().await;
        let config = self.health.pool(request.node.pool()).await?;
        let config = config.ok_or_else(|| AdminError::Gone(request.node.clone()))?;
        let update = request.update(store.overrides(), &config.pool)?;
        let events = request.events(&config.pool, &update, step);
        let (node, by) = (request.node.clone(), request.by.clone());
        let apply = move |overrides: &mut Overrides| {
            overrides.apply(&update);
            overrides.note_role_change(node.pool(), unix_now(), by);
        };
        self.change(store, events, apply).await
    }

    /// The error to report. If the action has run, which cannot be undone, the error says so.
    fn failed_after(&self, step: ActionStep<'_>, refused: AdminError, request: &RoleRequest) -> AdminError {
        if !matches!(step, ActionStep::Run(_)) {
            return refused;
        }
        let why = match refused {
            AdminError::NotStored(error) => format!("the change could not be stored: {error}"),
            other => other.to_string(),
        };
        let text = format!("not {}, although the action has been carried out: {why}", request.change.done());
        self.record_failure(request, &text);
        AdminError::AfterAction(request.node.clone(), text)
    }

    /// Removes the nomination of a node that the configuration does not have. No action can run on
    /// it.
    async fn forget(
        &self,
        store: OwnedMutexGuard<OverrideStore>,
        request: &RoleRequest,
    ) -> Result<Option<&'static str>, AdminError> {
        let node = request.node.clone();
        let is_nominated = store.overrides().nomination(&node).is_some();
        if !matches!(request.change, RoleChange::Demote) || !is_nominated {
            return Err(AdminError::NoSuchNode(node));
        }
        let text = format!("demoted by {}; it is not in the configuration", request.by);
        let event = Event::of_node(EventKind::Nomination, EventState::Backup, &node, &text).caused_by(&request.by);
        self.change(store, vec![event], move |overrides| overrides.forget(&node)).await?;
        Ok(None)
    }

    /// Stores the time of the attempt, and so finds out whether the disk can be written.
    async fn note_attempt(&self, request: &RoleRequest) -> Result<(), AdminError> {
        let (node, by) = (request.node.clone(), request.by.clone());
        let note = move |overrides: &mut Overrides| overrides.note_role_change(node.pool(), unix_now(), by);
        self.change(self.locked_store().await, Vec::new(), note).await
    }

    /// Returns true if the pool still needs the backup for the node that it is meant to replace.
    async fn is_needed(&self, request: &RoleRequest) -> Result<bool, AdminError> {
        let nominees = self.health.nominees().await?;
        let RoleChange::Nominate { replaces: Some(replaced) } = &request.change else { return Ok(false) };
        let is_meant = |nominees: &Nominees| {
            let mut nodes = nominees.promoted.iter().chain(&nominees.standby_up);
            *nominees.pool == *request.node.pool()
                && nodes.any(|node| **node == *request.node.node())
                && *nominees.replaces == **replaced
        };
        Ok(nominees.iter().any(is_meant))
    }

    /// Runs an action on a node.
    async fn run_action(
        &self,
        action: &RoleAction,
        config: &PoolConfig,
        node: &NodeStatus,
        request: &RoleRequest,
    ) -> Result<(), AdminError> {
        // The first address that the monitors or the standby monitors find up, or else the first
        // one.
        let is_up = |address: &&AddressStatus| address.is_up_or_standby_up();
        let found = node.addresses.iter().find(is_up).or_else(|| node.addresses.first());
        let address = found.ok_or_else(|| AdminError::NoSuchNode(request.node.clone()))?.address;
        let host = config.host_at(address);
        let context = ActionContext { node: &request.node, address, host: &host, by: &request.by };
        action.run(&self.prober, context).await.map_err(|error| {
            let text = format!("not {}: the action has failed, {error}", request.change.done());
            self.record_failure(request, &text);
            AdminError::ActionFailed(error.to_string())
        })
    }

    /// Records the event of a nomination that failed.
    fn record_failure(&self, request: &RoleRequest, text: &str) {
        let event = Event::of_node(EventKind::Nomination, EventState::Failed, &request.node, text);
        self.events.record([event.caused_by(&request.by).as_warning()]);
    }
}
