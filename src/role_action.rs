//! Role actions: a request to a node, a program, or a sequence of both, that runs before the role
//! of the node changes.
//!
//! `admin/change_role.rs` runs the action of the pool before it nominates or demotes a node. If
//! the action fails, no role changes. [`ActionError`] says why it failed.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use evenkeel_core::actor::Actor;
use evenkeel_core::health::{ProbeFailure, ProbeNotRun};
use evenkeel_core::node_id::NodeId;
use tokio::time::Instant;

use crate::monitor::{HttpCheck, MonitorKind, Prober};
use crate::program::{Program, ProgramFailure};

/// A configured action.
#[derive(Clone, Debug, PartialEq)]
pub enum RoleAction {
    /// One request or program.
    Single(SingleAction),
    /// Several of them, one after the other. The first one that fails ends the sequence.
    Sequence {
        /// At least one.
        steps: Vec<SequenceStep>,
        /// Bounds the whole sequence. Each step also has its own timeout.
        timeout: Duration,
    },
}

/// One request or program.
#[derive(Clone, Debug, PartialEq)]
pub struct SingleAction {
    /// What the action does.
    pub kind: SingleActionKind,
    /// Bounds the whole action.
    pub timeout: Duration,
}

/// What an action does.
#[derive(Clone, Debug, PartialEq)]
pub enum SingleActionKind {
    /// A request to the node. The response is judged like the response to a probe.
    Request(Box<HttpCheck>),
    /// A program. Exit code 0 is a success.
    Program(Program),
}

/// A step of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceStep {
    /// The name of the action in the configuration.
    pub name: String,
    /// The action.
    pub action: SingleAction,
}

/// The actions of a pool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoleActions {
    /// Before a node is nominated.
    pub nominate: Option<RoleAction>,
    /// Before a node is demoted.
    pub demote: Option<RoleAction>,
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
    /// A step of a sequence failed.
    #[error("step \"{name}\": {error}{done}")]
    Step {
        /// The name of the step.
        name: String,
        /// Why it failed.
        error: Box<Self>,
        /// The steps before it.
        done: DoneSteps,
    },
    /// The time of a sequence was over before one of its steps began.
    #[error("not begun within {0:?}")]
    NotBegun(Duration),
}

/// The steps of a sequence that were carried out before one failed.
#[derive(Debug)]
pub struct DoneSteps(Vec<String>);

impl fmt::Display for DoneSteps {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => Ok(()),
            [only] => write!(formatter, "; step \"{only}\" has been carried out"),
            several => write!(formatter, "; steps \"{}\" have been carried out", several.join("\", \"")),
        }
    }
}

impl RoleAction {
    /// Returns true if the action uses TLS. The pool needs a host then.
    pub fn is_over_tls(&self) -> bool {
        match self {
            Self::Single(action) => action.is_over_tls(),
            Self::Sequence { steps, .. } => steps.iter().any(|step| step.action.is_over_tls()),
        }
    }

    /// Runs the action.
    ///
    /// # Errors
    /// The action failed. After a timeout, it may have been carried out.
    pub async fn run(&self, prober: &Prober, context: ActionContext<'_>) -> Result<(), ActionError> {
        match self {
            Self::Single(action) => action.run(action.timeout, prober, context).await,
            Self::Sequence { steps, timeout } => run_sequence(steps, *timeout, prober, context).await,
        }
    }
}

impl SingleAction {
    fn is_over_tls(&self) -> bool {
        matches!(&self.kind, SingleActionKind::Request(request) if request.tls.is_some())
    }

    async fn run(&self, timeout: Duration, prober: &Prober, context: ActionContext<'_>) -> Result<(), ActionError> {
        match &self.kind {
            SingleActionKind::Request(request) => send_request(request, timeout, prober, context).await,
            SingleActionKind::Program(program) => run_program(program, timeout, context).await,
        }
    }
}

/// Runs steps one after the other until one fails or the time is over.
async fn run_sequence(
    steps: &[SequenceStep],
    timeout: Duration,
    prober: &Prober,
    context: ActionContext<'_>,
) -> Result<(), ActionError> {
    let end = Instant::now() + timeout;
    for (position, SequenceStep { name, action }) in steps.iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let outcome = if left.is_zero() {
            Err(ActionError::NotBegun(timeout))
        } else {
            action.run(action.timeout.min(left), prober, context).await
        };
        outcome.map_err(|error| {
            let done = DoneSteps(steps[..position].iter().map(|step| step.name.clone()).collect());
            ActionError::Step { name: name.clone(), error: Box::new(error), done }
        })?;
    }
    Ok(())
}

/// Sends a request to the node.
async fn send_request(
    request: &HttpCheck,
    timeout: Duration,
    prober: &Prober,
    context: ActionContext<'_>,
) -> Result<(), ActionError> {
    let kind = MonitorKind::Http(Box::new(request.clone()));
    match prober.prepare(&kind, timeout, context.address, context.host).run().await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(ProbeFailure::Timeout(timeout))) => Err(ActionError::Timeout(timeout)),
        Ok(Err(failure)) => Err(ActionError::Request(failure)),
        Err(not_run) => Err(ActionError::NotSent(not_run)),
    }
}

/// Runs a program, with the node in its environment.
async fn run_program(program: &Program, timeout: Duration, context: ActionContext<'_>) -> Result<(), ActionError> {
    let address = context.address.to_string();
    let environment = [
        ("EVENKEEL_NODE", context.node.as_str()),
        ("EVENKEEL_ADDRESS", &address),
        ("EVENKEEL_HOST", context.host),
        ("EVENKEEL_BY", context.by.name()),
    ];
    match tokio::time::timeout(timeout, program.run(&environment)).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(failure))) => Err(ActionError::Program(failure)),
        Ok(Err(error)) => Err(ActionError::NotStarted(error)),
        Err(_) => Err(ActionError::ProgramTimeout(timeout)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::monitor::script::Script;

    /// A sequence of shell commands.
    async fn run(commands: &[&str], timeout: Duration) -> Result<(), String> {
        let step = |(position, command): (usize, &&str)| {
            let arguments = vec!["-c".to_owned(), (*command).to_owned()];
            let program = Program { path: "/bin/sh".into(), arguments, ..Program::default() };
            let action = SingleAction { kind: SingleActionKind::Program(program), timeout: Duration::from_secs(20) };
            SequenceStep { name: format!("s{position}"), action }
        };
        let action = RoleAction::Sequence { steps: commands.iter().enumerate().map(step).collect(), timeout };
        let (node, by) = (NodeId::new("core", "spare"), Actor::operator("alice".to_owned()).unwrap());
        let context = ActionContext { node: &node, address: [127, 0, 0, 1].into(), host: "core.lb.example", by: &by };
        let prober = Arc::new(Script::default()).prober();
        action.run(&prober, context).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_sequence_ends_at_the_first_step_that_fails() {
        let long = Duration::from_secs(20);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("steps");
        let note = |text: &str| format!("echo {text} >> {}", file.display());
        assert_eq!(run(&[&note("a"), &note("b")], long).await, Ok(()));
        let failed = run(&[&note("c"), "echo no license; exit 3", &note("d")], long).await;
        assert_eq!(failed.unwrap_err(), "step \"s1\": exit code 3: no license; step \"s0\" has been carried out");
        assert_eq!(std::fs::read_to_string(file).unwrap(), "a\nb\nc\n");
        assert_eq!(run(&["exit 3"], long).await.unwrap_err(), "step \"s0\": exit code 3");
    }

    #[tokio::test]
    async fn the_timeout_of_a_sequence_bounds_all_of_its_steps() {
        let error = run(&["true", "sleep 60"], Duration::from_millis(500)).await.unwrap_err();
        assert!(error.starts_with("step \"s1\": did not finish within "), "{error}");
    }
}
