//! Role actions: a request to a node, or a program, that runs before the role of the node changes.
//!
//! `admin/change_role.rs` runs the action of the pool before it nominates or unregisters a node. If
//! the action fails, no role changes. [`ActionError`] says why it failed.

use std::net::IpAddr;
use std::time::Duration;

use evenkeel_core::actor::Actor;
use evenkeel_core::health::{ProbeFailure, ProbeNotRun};
use evenkeel_core::node_id::NodeId;

use crate::monitor::{HttpCheck, MonitorKind, Prober};
use crate::program::{Program, ProgramFailure};

/// A configured action.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleAction {
    /// What the action does.
    pub kind: RoleActionKind,
    /// Bounds the whole action.
    pub timeout: Duration,
}

/// What an action does.
#[derive(Clone, Debug, PartialEq)]
pub enum RoleActionKind {
    /// A request to the node. The response is judged like the response to a probe.
    Request(Box<HttpCheck>),
    /// A program. Exit code 0 is a success.
    Program(Program),
}

/// The actions of a pool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoleActions {
    /// Before a node is nominated.
    pub nominate: Option<RoleAction>,
    /// Before a node is unregistered.
    pub unregister: Option<RoleAction>,
}

/// The node of an action, and the actor that causes it.
#[derive(Clone, Copy, Debug)]
pub struct ActionContext<'a> {
    /// Its identity.
    pub node: &'a NodeId,
    /// Where requests go.
    pub address: IpAddr,
    /// The host of the pool, for the Host header and TLS.
    pub host: &'a str,
    /// The operator, or the server itself for an auto-nomination.
    pub by: &'a Actor,
}

/// Why an action failed.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// The node did not answer the request in time.
    #[error("no answer within {0:?}; whether it was carried out is not known")]
    Timeout(Duration),
    /// The program did not finish in time.
    #[error("did not finish within {0:?}; whether it was carried out is not known")]
    ProgramTimeout(Duration),
    /// The node refused the request.
    #[error(transparent)]
    Request(ProbeFailure),
    /// This machine could not send the request.
    #[error("{}", .0.0)]
    NotSent(ProbeNotRun),
    /// The program could not be started.
    #[error(transparent)]
    NotStarted(std::io::Error),
    /// The program failed.
    #[error(transparent)]
    Program(ProgramFailure),
}

impl RoleAction {
    /// Returns true if the action uses TLS. The pool needs a host then.
    pub fn is_over_tls(&self) -> bool {
        matches!(&self.kind, RoleActionKind::Request(request) if request.tls.is_some())
    }

    /// Runs the action.
    ///
    /// # Errors
    /// The action failed. After a timeout, it may have been carried out.
    pub async fn run(&self, prober: &Prober, context: ActionContext<'_>) -> Result<(), ActionError> {
        match &self.kind {
            RoleActionKind::Request(request) => self.request(request, prober, context).await,
            RoleActionKind::Program(program) => self.run_program(program, context).await,
        }
    }

    async fn request(
        &self,
        request: &HttpCheck,
        prober: &Prober,
        context: ActionContext<'_>,
    ) -> Result<(), ActionError> {
        let kind = MonitorKind::Http(Box::new(request.clone()));
        match prober.prepare(&kind, self.timeout, context.address, context.host).run().await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(ProbeFailure::Timeout(timeout))) => Err(ActionError::Timeout(timeout)),
            Ok(Err(failure)) => Err(ActionError::Request(failure)),
            Err(not_run) => Err(ActionError::NotSent(not_run)),
        }
    }

    async fn run_program(&self, program: &Program, context: ActionContext<'_>) -> Result<(), ActionError> {
        let address = context.address.to_string();
        let environment = [
            ("EVENKEEL_NODE", context.node.as_str()),
            ("EVENKEEL_ADDRESS", &address),
            ("EVENKEEL_HOST", context.host),
            ("EVENKEEL_BY", context.by.name()),
        ];
        match tokio::time::timeout(self.timeout, program.run(&environment)).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(failure))) => Err(ActionError::Program(failure)),
            Ok(Err(error)) => Err(ActionError::NotStarted(error)),
            Err(_) => Err(ActionError::ProgramTimeout(self.timeout)),
        }
    }
}
