//! What is done to a node before its role changes: a request to it, or a program. The rest of the change waits for it.

use std::net::IpAddr;
use std::time::Duration;

use crate::health::probe::{Failure, Prober};
use crate::health::{HttpCheck, Kind};
use crate::program::Program;

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// What.
    pub what: What,
    /// For the whole of it.
    pub timeout: Duration,
}

/// What can be done.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A request to the node, whose answer is judged as a probe's is.
    Request(Box<HttpCheck>),
    /// A program, which ends with exit code 0 when it is done.
    Program(Program),
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
    /// Whether it speaks TLS, for which the pool needs a name.
    pub fn is_over_tls(&self) -> bool {
        matches!(&self.what, What::Request(request) if request.tls.is_some())
    }

    /// Does it.
    ///
    /// # Errors
    /// Why it failed, as far as that is known.
    pub async fn run(&self, prober: &Prober, concerned: Concerned<'_>) -> Result<(), String> {
        let timeout = self.timeout;
        let over = || format!("no answer within {timeout:?}; whether it was carried out is not known");
        match &self.what {
            What::Request(request) => {
                let request = Kind::Http(request.clone());
                let outcome = prober.prepare(&request, timeout, concerned.address, concerned.host).attempt().await;
                match outcome.map_err(|untried| untried.0)? {
                    Ok(_) => Ok(()),
                    Err(Failure::Timeout(_)) => Err(over()),
                    Err(failure) => Err(failure.to_string()),
                }
            }
            What::Program(program) => {
                let address = concerned.address.to_string();
                let environment = [
                    ("EVENKEEL_NODE", concerned.node),
                    ("EVENKEEL_ADDRESS", &address),
                    ("EVENKEEL_HOST", concerned.host),
                    ("EVENKEEL_BY", concerned.by),
                ];
                let ended = tokio::time::timeout(timeout, program.run(&environment)).await.map_err(|_| over())?;
                ended.map_err(|error| error.to_string())?.map_err(|ended| ended.to_string())
            }
        }
    }
}
