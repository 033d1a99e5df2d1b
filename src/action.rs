//! What is done to a node before its role changes: a request to it, or a program. The rest of the change waits for it.

use std::net::IpAddr;
use std::time::Duration;

use crate::health::probe::{Failure, Prober};
use crate::health::{HttpCheck, Kind};
use crate::program::Program;

/// Something to be done, which passes or fails as a probe does.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// A request or a program.
    kind: Kind,
    timeout: Duration,
}

/// Whom an action concerns.
#[derive(Clone, Copy, Debug)]
pub struct Concerned<'a> {
    /// `pool/node`.
    pub node: &'a str,
    /// Where requests go.
    pub address: IpAddr,
    /// The pool's host, for Host and SNI.
    pub host: &'a str,
    /// Who asked for it.
    pub by: &'a str,
}

impl Action {
    /// A request to the node.
    pub fn request(request: HttpCheck, timeout: Duration) -> Self {
        Self { kind: Kind::Http(Box::new(request)), timeout }
    }

    /// A program.
    pub fn program(program: Program, timeout: Duration) -> Self {
        Self { kind: Kind::Exec(program), timeout }
    }

    /// What it does.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Does it; gives why it failed, if it did.
    pub async fn run(&self, prober: &Prober, concerned: Concerned<'_>) -> Result<(), String> {
        let Concerned { node, address, host, by } = concerned;
        let mut kind = self.kind.clone();
        if let Kind::Exec(program) = &mut kind {
            let own = [("EVENKEEL_NODE", node), ("EVENKEEL_BY", by)];
            program.environment.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        let outcome = prober.prepare(&kind, self.timeout, address, host).attempt().await;
        outcome.map_err(|untried| untried.to_string())?.map(drop).map_err(|failure: Failure| failure.to_string())
    }
}
